//! Result of a look at PagerDuty.

use std::collections::{BTreeMap, BTreeSet};
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
    /// `true` if the other incidents cannot be read either. `false` if perhaps only one incident is at fault.
    pub(super) fn ends_look(&self) -> bool {
        match self {
            Self::Rest(error) => matches!(
                error,
                RestError::Unauthorized { .. }
                    | RestError::RateLimited { .. }
                    | RestError::NotTheApi { .. }
                    | RestError::NotJson { .. }
            ),
            Self::NotUnderstood(_) | Self::OtherIncident => false,
            Self::Read(_) | Self::Write(_) | Self::OtherAccount(_) | Self::Task(_) => true,
        }
    }

    /// `true` if the error may be one of all incidents: several in a row are.
    fn may_be_of_all(&self) -> bool {
        matches!(self, Self::Rest(error) if error.is_temporary() || matches!(error, RestError::Forbidden { .. }))
    }
}

/// Number of incidents in a row that cannot be read, after which the others are not asked for.
const MOST_FAILED: usize = 3;

/// Errors of incidents in a row.
#[derive(Debug, Default)]
pub(super) struct FailedInARow(usize);

impl FailedInARow {
    /// Notes an incident that was read.
    pub(super) fn passed(&mut self) {
        self.0 = 0;
    }

    /// Notes an error. Returns it if the other incidents cannot be read either; else its words.
    pub(super) fn failed(&mut self, error: ReconcileError) -> Result<String, ReconcileError> {
        self.0 = if error.may_be_of_all() { self.0 + 1 } else { 0 };
        if error.ends_look() || self.0 >= MOST_FAILED { Err(error) } else { Ok(error.to_string()) }
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
    /// Incidents that changed just before, and whose webhooks may be on their way.
    pub deferred: BTreeSet<IncidentId>,
    /// Incidents that could not be read, with the reasons.
    pub skipped: BTreeMap<IncidentId, String>,
}

impl Look {
    /// A look that begins.
    pub(super) fn begin(now: Timestamp) -> Self {
        let (incidents, repaired, events) = (0, 0, 0);
        let (deferred, skipped) = (BTreeSet::new(), BTreeMap::new());
        Self { up_to: now, incidents, repaired, events, deferred, skipped }
    }

    /// Incidents that the next look reads again.
    pub(super) fn unread(&self) -> BTreeSet<IncidentId> {
        self.skipped.keys().chain(&self.deferred).cloned().collect()
    }
}
