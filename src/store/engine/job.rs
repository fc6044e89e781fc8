//! Jobs for the writer, and their outcome.

use super::session::Session;
use super::sql;

/// Reason why a write cannot be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The queue of writes is full.
    #[error("too many writes are waiting for the store")]
    Busy,
    /// The write was rolled back.
    #[error("the store could not commit: {0}")]
    NotCommitted(String),
    /// Another replica decides now.
    #[error("{0}")]
    SteppedBack(String),
    /// The write took too long. It may still be committed later.
    #[error("the store took too long")]
    TimedOut,
    /// The writer has ended. The process will end soon, too.
    #[error("the store is closed")]
    Closed,
}

/// State of the writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriterState {
    /// The writer runs.
    Running,
    /// Every handle was dropped and everything was written.
    Stopped,
    /// A sync failed, the store is damaged or can only be read, or a transaction could not be rolled back. The state of
    /// the disk is in doubt until the store is opened again.
    InDoubt(String),
}

/// Purpose of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum WriteKind {
    /// A webhook. Its sender is answered 503 if the write fails.
    Webhook,
    /// A write that waits while there are webhooks, and is synced with a later write. Its content can be asked for again.
    Background,
    /// Any other write.
    Other,
}

/// Durability of a transaction at its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// Synced at the commit, because somebody gets an acknowledgement.
    Synced,
    /// Synced with the next synced transaction. The content follows from data on the disk, or can be asked for again.
    Later,
}

/// Work in a transaction, and a receiver for the outcome once it is committed.
pub(in crate::store) trait Job: Send {
    /// Purpose of the job.
    fn kind(&self) -> WriteKind;
    /// `true` while somebody waits for the outcome.
    fn is_awaited(&self) -> bool;
    /// Does the work, or the next part of it. After an error it may be called again, in a transaction of its own, unless
    /// it is a background job.
    fn run(&mut self, session: &mut Session<'_>) -> sql::Result<()>;
    /// `true` if all of the work is done. Only a background job may have more parts, which need not be in the same
    /// transaction.
    fn is_done(&self) -> bool;
    /// Sends the outcome.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A message to a writer.
pub(in crate::store) enum Message {
    /// A job to do.
    Job(Box<dyn Job>),
    /// Another writer has stored events that are to be folded.
    FoldSoon,
}

/// Reason why a transaction is not durable.
pub(in crate::store) enum NotCommitted {
    RolledBack(String),
    /// Another process held a lock for too long, or a statement took too long. A part of the group may be committed without it.
    Conflict(String),
    /// The connection was lost, or the commit has no clear answer. The same transaction may be repeated: what it may have
    /// written already is not written twice.
    Repeat(String),
    /// The state of the store is unknown until it is opened again.
    InDoubt(String),
}

impl NotCommitted {
    /// Outcome of a transaction that failed with this error.
    pub(in crate::store) fn of(error: &sql::Error, is_undone: bool) -> Self {
        if error.is_in_doubt() || !is_undone {
            Self::InDoubt(error.to_string())
        } else if error.is_conflict() {
            Self::Conflict(error.to_string())
        } else if error.is_worth_repeating() {
            Self::Repeat(error.to_string())
        } else {
            Self::RolledBack(error.to_string())
        }
    }
}
