//! Result of a look at PagerDuty.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::id::IncidentId;
use crate::domain::timestamp::Timestamp;
use crate::sources::pagerduty::NotUnderstood;
use crate::sources::pagerduty::rest::RestError;
use crate::store::{ReadError, StoreError};

/// Time after a change in which its webhook usually comes. What is read before is sent to backends, and corrected by
/// the webhook's exact time.
pub(super) const DELIVERY: Duration = Duration::from_mins(2);

/// Reason why a look failed, or why an incident was left out of it.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
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
    #[error("PagerDuty's answer was not understood: {0}")]
    NotUnderstood(#[from] NotUnderstood),
    /// The answer is about another incident.
    #[error("PagerDuty answered with another incident")]
    OtherIncident,
    /// PagerDuty has none of the incidents that webhooks told of.
    #[error(
        "PagerDuty has none of the {0} incidents that webhooks told of: check that pagerduty.api.token belongs to the \
         account that sends the webhooks, and may read them"
    )]
    OtherAccount(usize),
    /// A task ended unexpectedly.
    #[error("a task ended unexpectedly: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl ReconcileError {
    /// `true` if the other incidents cannot be read either. `false` if only one incident is at fault.
    pub(super) fn ends_look(&self) -> bool {
        match self {
            Self::Rest(error) => error.is_temporary() || matches!(error, RestError::Unauthorized { .. }),
            Self::NotUnderstood(_) | Self::OtherIncident => false,
            Self::Read(_) | Self::Write(_) | Self::OtherAccount(_) | Self::Task(_) => true,
        }
    }
}

/// Result of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Time up to which everything is read now, by the clock that is behind: PagerDuty's or this machine's.
    pub up_to: Timestamp,
    /// Number of incidents that were read.
    pub incidents: usize,
    /// Number of incidents with something new.
    pub repaired: usize,
    /// Number of events that were new.
    pub events: usize,
    /// Number of incidents that changed just before, and whose webhooks may be on their way.
    pub deferred: usize,
    /// Incidents that could not be read, with the reasons.
    pub skipped: BTreeMap<IncidentId, String>,
}

impl Look {
    /// A look that begins.
    pub(super) fn begin(now: Timestamp) -> Self {
        let (incidents, repaired, events, deferred) = (0, 0, 0, 0);
        Self { up_to: now, incidents, repaired, events, deferred, skipped: BTreeMap::new() }
    }

    /// Notes an incident that could not be read.
    pub(super) fn skip(&mut self, incident: &IncidentId, error: &ReconcileError) {
        self.skipped.insert(incident.clone(), error.to_string());
    }
}
