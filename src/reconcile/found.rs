//! The incidents that a backfill has found and not yet stored.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::id::IncidentId;
use crate::domain::timestamp::Timestamp;
use crate::sources::pagerduty;
use crate::sources::pagerduty::rest::{CreatedIncident, RestClient, RestError};

/// Age from which on PagerDuty's analytics have an incident. They are about a day behind.
const ANALYTICS_AGE: Duration = Duration::from_hours(48);

/// Incidents in order of their creation.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Those that are not stored yet.
    incidents: VecDeque<CreatedIncident>,
    /// Time up to which all incidents were found. `None`: nothing was found yet.
    until: Option<Timestamp>,
    /// End of the period for which they were found.
    end: Option<Timestamp>,
    /// `true` if the plan or the token does not allow analytics.
    has_no_analytics: bool,
}

impl Found {
    /// Goes to the time up to which everything is stored. Keeps what was found from there on.
    pub(super) fn go_to(&mut self, at: Timestamp, end: Timestamp) {
        if self.until.is_none() || self.at(0) != at || self.end != Some(end) {
            *self = Self { until: Some(at), end: Some(end), ..Self::default() };
        }
    }

    /// Time up to which everything is stored once the first `stored` incidents are.
    pub(super) fn at(&self, stored: usize) -> Timestamp {
        let next = self.incidents.get(stored).map(|incident| incident.created_at);
        next.or(self.until).unwrap_or(Timestamp::MIN)
    }

    /// `true` if nothing is left, once the first `stored` incidents are stored.
    pub(super) fn is_done(&self, stored: usize) -> bool {
        self.incidents.len() <= stored && self.until >= self.end
    }

    /// Some incidents after the first `begin`.
    pub(super) fn some(&self, begin: usize, most: usize) -> Vec<IncidentId> {
        self.incidents.iter().skip(begin).take(most).filter_map(id).collect()
    }

    /// Forgets the first incidents, which are stored now.
    pub(super) fn forget(&mut self, stored: usize) {
        self.incidents.drain(..stored.min(self.incidents.len()));
    }

    /// Finds more incidents if all that were found are among the first `begin`.
    ///
    /// # Errors
    /// PagerDuty gave no usable answer.
    pub(super) async fn find(
        &mut self,
        client: &RestClient,
        begin: usize,
        now: Timestamp,
    ) -> Result<(), RestError> {
        let (Some(since), Some(end)) = (self.until, self.end) else { return Ok(()) };
        if self.incidents.len() > begin || since >= end {
            return Ok(());
        }
        let analysed_until = end.min(now.saturating_sub(ANALYTICS_AGE));
        let mut part = None;
        if !self.has_no_analytics && since < analysed_until {
            part = match client.incidents_from_analytics(since, analysed_until).await {
                Ok(part) => Some(part),
                Err(error @ (RestError::Unauthorized { .. } | RestError::Unreachable { .. })) => {
                    return Err(error);
                }
                // Many plans and tokens have no analytics. The list has the same incidents.
                Err(error) => {
                    tracing::debug!(%error, "PagerDuty's analytics cannot be used: the list of incidents is read");
                    self.has_no_analytics = true;
                    None
                }
            };
        }
        let part = match part {
            Some(part) => part,
            None => client.created_incidents(since, end).await?,
        };
        // An id that cannot be one is left out, so that each place in the list is an incident.
        let created = part.incidents.into_iter();
        self.incidents.extend(created.filter(|created| created.created_at >= since && id(created).is_some()));
        self.until = Some(part.until);
        Ok(())
    }
}

fn id(created: &CreatedIncident) -> Option<IncidentId> {
    IncidentId::parse(&pagerduty::SOURCE.name, &created.id)
}
