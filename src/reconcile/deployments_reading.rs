//! Result of a reading of the deployments of an API.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::deployment_api::ApiError;
use crate::store::{ReadError, StoreError};
use crate::telemetry::deployment_reading::ReadingGaps;

/// Reason why a reading failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeploymentsError {
    /// The API gave no usable answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// No repository can be read.
    #[error("none of the {0} repositories can be read. The first: {1}")]
    NoneReadable(usize, String),
    /// The store could not be read.
    #[error("the store cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The store could not be written.
    #[error(transparent)]
    Write(#[from] StoreError),
    /// A task ended unexpectedly.
    #[error("a task ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Result of a reading.
#[derive(Debug, Default)]
pub(super) struct DeploymentsReading {
    /// Number of repositories that were read.
    pub(super) repositories: usize,
    /// Number of events that were new.
    pub(super) events: usize,
    /// Repositories that cannot be read, with the reasons.
    pub(super) unreadable: BTreeMap<String, String>,
    /// Records that are not understood: their repositories, which, and the reasons.
    pub(super) left_out: BTreeSet<String>,
    /// Host on which no repository is known, if no repository was read.
    pub(super) none_on: Option<String>,
}

impl DeploymentsReading {
    /// The parts that were not read.
    pub(super) fn gaps(&self) -> ReadingGaps {
        let unreadable = self.unreadable.values().next();
        let left_out = self.left_out.first();
        ReadingGaps {
            unreadable: unreadable.map(|reason| (self.unreadable.len(), reason.clone())),
            none_on: self.none_on.clone(),
            left_out: left_out.map(|first| (self.left_out.len(), first.clone())),
        }
    }
}
