//! Why the daemon cannot start or go on.

use crate::config::{Problem, Problems};
use crate::store::{OpenError, ReadError};

/// Reason why the daemon could not start, or why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The content of the store is unknown, or the store cannot be written any more. Only a new process can open it
    /// again.
    #[error("the store must be reopened: restart the program ({0})")]
    InDoubt(String),
    /// The store was opened but cannot be read.
    #[error("the store cannot be read: {0}")]
    Unreadable(ReadError),
    /// The admin listener's own address cannot be read.
    #[error("the admin listener's own address cannot be read: {0}")]
    Listener(std::io::Error),
    /// The system allows no more threads.
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
    /// The system's source of randomness fails.
    #[error("the system's source of randomness cannot be read: {0}")]
    Random(std::io::Error),
}

impl From<Problem> for RunError {
    fn from(problem: Problem) -> Self {
        Self::Config(problem.into())
    }
}
