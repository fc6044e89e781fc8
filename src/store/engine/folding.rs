//! Events that a writer folds.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::backlog::{Backlog, Slice, Unfolded};
use super::job::Message;
use super::postgres::unfolded;
use super::progress::{self, FOLDED_UP_TO};
use super::sql::{self, Db};

/// Time between two looks into the table of all replicas.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Largest number of events of the table that are folded at a time. Events that belong together cost less together.
const LARGEST_SHARED_SLICE: usize = 512;
/// Smallest number of them.
const SMALLEST_SHARED_SLICE: usize = 8;
/// Number of events that are folded first, when nobody knows how long they take.
const FIRST_SHARED_SLICE: usize = 32;
/// Time that they should take. Other replicas wait for their turn meanwhile, and so do people.
const SHARED_SLICE_TIME: Duration = Duration::from_millis(200);

/// Events that a writer folds.
pub(in crate::store) enum Folding {
    /// Events that it has stored itself. No other process stores any.
    Own(Backlog),
    /// Events that any replica has stored.
    Shared {
        /// `true` if there are some, or there were at the last look.
        may_have_more: bool,
        /// Time of the last look.
        looked_at: Option<Instant>,
        /// Number of events that are folded at a time.
        slice: usize,
    },
    /// None: another writer of this process does, and is told of new ones.
    Elsewhere(mpsc::Sender<Message>),
}

impl Folding {
    /// Folds what any replica has stored. Nobody knows yet how much that is.
    pub(in crate::store) const fn shared() -> Self {
        Self::Shared { may_have_more: true, looked_at: None, slice: FIRST_SHARED_SLICE }
    }

    /// Number of events of the table to fold next.
    pub(super) const fn shared_slice_size(&self) -> usize {
        match self {
            Self::Shared { slice, .. } => *slice,
            Self::Own(_) | Self::Elsewhere(_) => LARGEST_SHARED_SLICE,
        }
    }

    /// Notes how long some events have taken.
    pub(super) fn has_taken(&mut self, events: usize, took: Duration) {
        if let Self::Shared { slice, .. } = self
            && events > 0
        {
            let fitting = u128::try_from(events).unwrap_or(u128::MAX) * SHARED_SLICE_TIME.as_nanos()
                / took.as_nanos().max(1);
            *slice = usize::try_from(fitting)
                .unwrap_or(LARGEST_SHARED_SLICE)
                .clamp(SMALLEST_SHARED_SLICE, LARGEST_SHARED_SLICE);
        }
    }

    /// `true` if no event has to be folded, as far as is known.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Own(backlog) => backlog.is_empty(),
            Self::Shared { may_have_more, looked_at, .. } => {
                !may_have_more && looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY)
            }
            Self::Elsewhere(_) => true,
        }
    }

    /// `true` if this writer folds what it has stored, and nothing else.
    pub(super) const fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// `true` if events of other processes are folded, too.
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Shared { .. })
    }

    /// `true` if a group of new events has to wait until earlier ones are folded.
    pub(super) fn is_full(&self, group: usize, most: usize) -> bool {
        match self {
            Self::Own(backlog) => !backlog.is_empty() && backlog.len_after_a_crash() + group > most,
            Self::Shared { .. } | Self::Elsewhere(_) => false,
        }
    }

    /// Adds what was committed: the row of the last stored event, and the events to fold.
    pub(super) fn extend(&mut self, stored_up_to: Option<i64>, to_fold: Vec<Unfolded>) {
        match self {
            Self::Own(backlog) => backlog.extend(stored_up_to, to_fold),
            Self::Shared { may_have_more, .. } => *may_have_more |= !to_fold.is_empty(),
            // If the queue is full, the other writer looks by itself.
            Self::Elsewhere(decider) if !to_fold.is_empty() => drop(decider.try_send(Message::FoldSoon)),
            Self::Elsewhere(_) => {}
        }
    }

    /// Notes that another writer has stored events.
    pub(super) fn wake(&mut self) {
        if let Self::Shared { may_have_more, .. } = self {
            *may_have_more = true;
        }
    }

    /// Notes a look into the table.
    pub(super) fn looked(&mut self, has_more: bool) {
        if let Self::Shared { may_have_more, looked_at, .. } = self {
            (*may_have_more, *looked_at) = (has_more, Some(Instant::now()));
        }
    }

    /// Lets a while pass before the next look into the table, because the work on its events has failed.
    pub(super) fn look_later(&mut self) {
        self.looked(false);
    }

    /// The next slice of what this writer has stored. `None` if it folds what a table has, or nothing.
    pub(super) fn own_slice(&mut self, wanted: usize) -> Option<Slice> {
        match self {
            Self::Own(backlog) => Some(backlog.slice(wanted)),
            Self::Shared { .. } | Self::Elsewhere(_) => None,
        }
    }

    /// Removes a slice that is folded and committed.
    pub(super) fn done(&mut self, slice: &Slice) {
        if let Self::Own(backlog) = self {
            backlog.done(slice);
        }
    }
}

/// `true` if the table has events to fold. Waits for no turn.
pub(super) fn has_shared(db: &Db) -> sql::Result<bool> {
    unfolded::has_any(db.postgres()?)
}

/// The next slice of the table. `None` if it is empty.
pub(super) fn shared_slice(db: &Db, wanted: usize) -> sql::Result<Option<Slice>> {
    unfolded::next(db.postgres()?, wanted)
}

/// Removes a slice from the table.
pub(super) fn remove_shared(db: &Db, slice: &Slice) -> sql::Result<()> {
    unfolded::remove(db.postgres()?, slice)
}

/// All events up to this row are folded.
pub(in crate::store) fn folded_up_to(db: &Db) -> sql::Result<i64> {
    match db {
        Db::Postgres(db) => unfolded::folded_up_to(db),
        Db::Sqlite(_) => progress::get(db, FOLDED_UP_TO),
    }
}
