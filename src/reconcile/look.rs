//! Result of a look at PagerDuty.

use crate::domain::id::IncidentId;
use crate::sources::pagerduty::NotUnderstood;
use crate::sources::pagerduty::rest::RestError;
use crate::store::{ReadError, StoreError};

/// Reason why a look failed.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// PagerDuty gave no usable answer.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// The store could not be read.
    #[error("the store cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The store could not be written.
    #[error(transparent)]
    Write(#[from] StoreError),
    /// An answer of PagerDuty makes no event.
    #[error("PagerDuty's answer about incident {0} was not understood: {1}")]
    NotUnderstood(IncidentId, NotUnderstood),
    /// A task ended unexpectedly.
    #[error("a task ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Result of a look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Number of incidents that were read.
    pub incidents: usize,
    /// Number of incidents with something new.
    pub repaired: usize,
    /// Number of events that were new.
    pub events: usize,
}
