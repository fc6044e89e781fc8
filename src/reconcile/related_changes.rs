//! The changes that PagerDuty relates to an incident: asked for once, soon after its failure was completed, and kept as
//! evidence for people. They decide nothing, so nothing waits for them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::look::ReconcileError;
use crate::clock::Clock;
use crate::domain::id::IncidentId;
use crate::domain::related_change::RelatedChange;
use crate::sources::pagerduty;
use crate::sources::pagerduty::rest::{RestClient, RestError};
use crate::store::{Reader, Store};

/// Wait after a round.
const EVERY: Duration = Duration::from_mins(1);
/// Wait after a round that failed.
const RETRY: Duration = Duration::from_mins(5);
/// Wait after PagerDuty has refused to tell.
const REFUSED: Duration = Duration::from_hours(24);
/// Age of an end after which an incident is not asked for any more, so that a store with years of incidents costs no
/// more requests than one of three days. PagerDuty sends a webhook again for two days, and a refused request is
/// repeated after one.
const LONGEST_AGE: Duration = Duration::from_hours(72);
/// Greatest number of incidents of a round. The next one begins with those that ended last.
const MOST: usize = 100;
/// Number of refusals in a row after which they count as those of the whole account. A token may be allowed to read
/// only some incidents.
const MOST_REFUSALS: usize = 3;

/// Asks PagerDuty for the changes related to incidents.
#[derive(Clone)]
pub struct RelatedChangesLoop {
    /// Client of PagerDuty's REST API.
    pub client: RestClient,
    /// Store, for the changes.
    pub store: Store,
    /// Reader, for the incidents that have to be asked for.
    pub reader: Reader,
    /// Clock for the waits.
    pub clock: Arc<dyn Clock>,
}

/// What earlier rounds have shown. It is lost at the end of the process, which costs a few requests.
#[derive(Default)]
struct Earlier {
    /// Incidents that were refused since the last answer.
    refused: BTreeSet<IncidentId>,
    /// Incidents whose request failed. They come last, so that one of them does not hold up all others.
    failed: BTreeSet<IncidentId>,
}

/// End of a round.
#[derive(Debug)]
enum Round {
    /// All of its incidents were asked for.
    Done {
        /// `true` if PagerDuty has told the changes of an incident.
        has_told: bool,
        /// `true` if more incidents may be due.
        may_have_more: bool,
    },
    /// PagerDuty tells nothing of changes.
    Refused(RestError),
}

/// Meaning of an error for the next requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ErrorMeaning {
    /// The same request may succeed later. Others fail now, too.
    Later,
    /// PagerDuty does not tell, perhaps only of this incident.
    Refused,
    /// PagerDuty does not tell of any incident.
    AllRefused,
    /// There will never be an answer about this incident.
    Never,
}

impl ErrorMeaning {
    const fn of(error: &RestError) -> Self {
        match error {
            RestError::Plan { .. } => Self::AllRefused,
            RestError::Forbidden { .. } => Self::Refused,
            RestError::NotFound { .. }
            | RestError::Rejected { .. }
            | RestError::UnexpectedForm { .. }
            | RestError::WindowTooFull { .. } => Self::Never,
            RestError::Unauthorized { .. }
            | RestError::NotTheApi { .. }
            | RestError::NotJson { .. }
            | RestError::RateLimited { .. }
            | RestError::Server { .. }
            | RestError::Unreachable { .. } => Self::Later,
        }
    }
}

impl RelatedChangesLoop {
    /// Asks from time to time, until `stop` is set.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let (mut earlier, mut log) = (Earlier::default(), Log::default());
        loop {
            // An error means that the sender of the signal was dropped, which counts as the signal, too.
            let round = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                round = self.round(&mut earlier) => round,
            };
            log.note(&round);
            let wait = match round {
                Ok(Round::Done { may_have_more: true, .. }) => continue,
                Ok(Round::Done { .. }) => EVERY,
                Ok(Round::Refused(_)) => REFUSED,
                Err(_) => RETRY,
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.clock.sleep(wait) => {}
            }
        }
    }

    /// Asks for the incidents that are due, one after the other. What was saved before an error stays.
    async fn round(&self, earlier: &mut Earlier) -> Result<Round, ReconcileError> {
        let mut due = self.due().await?;
        let may_have_more = due.len() >= MOST;
        let found: BTreeSet<_> = due.iter().cloned().collect();
        for kept in [&mut earlier.refused, &mut earlier.failed] {
            kept.retain(|incident| found.contains(incident));
        }
        due.retain(|incident| !earlier.refused.contains(incident));
        due.sort_by_key(|incident| earlier.failed.contains(incident));
        let (mut has_told, may_have_more) = (false, may_have_more && !due.is_empty());
        for incident in due {
            let error = match self.client.related_change_events(incident.as_str()).await {
                Ok(changes) => {
                    has_told = true;
                    self.save(incident, Some(changes)).await?;
                    // PagerDuty tells of changes. So it refused only those incidents.
                    for refused in std::mem::take(&mut earlier.refused) {
                        self.save(refused, None).await?;
                    }
                    continue;
                }
                Err(error) => error,
            };
            tracing::debug!(%incident, %error, "PagerDuty did not tell which changes it relates to an incident");
            match ErrorMeaning::of(&error) {
                ErrorMeaning::Never => self.save(incident, None).await?,
                ErrorMeaning::Refused if earlier.refused.len() + 1 < MOST_REFUSALS => {
                    earlier.refused.insert(incident);
                }
                ErrorMeaning::Refused | ErrorMeaning::AllRefused => {
                    earlier.refused.clear();
                    return Ok(Round::Refused(error));
                }
                ErrorMeaning::Later => {
                    earlier.failed.insert(incident);
                    return Err(error.into());
                }
            }
        }
        Ok(Round::Done { has_told, may_have_more })
    }

    async fn due(&self) -> Result<Vec<IncidentId>, ReconcileError> {
        let (reader, since) = (self.reader.clone(), self.clock.now().saturating_sub(LONGEST_AGE));
        let read = move || reader.incidents_without_changes(&pagerduty::SOURCE.name, since, MOST);
        Ok(tokio::task::spawn_blocking(read).await??)
    }

    async fn save(
        &self,
        incident: IncidentId,
        changes: Option<Vec<RelatedChange>>,
    ) -> Result<(), ReconcileError> {
        Ok(self.store.save_related_changes(incident, changes).await?)
    }
}

/// State of the log lines: one line for each change.
#[derive(Default)]
struct Log {
    is_refused: bool,
    has_failed: bool,
}

impl Log {
    fn note(&mut self, round: &Result<Round, ReconcileError>) {
        match round {
            Ok(Round::Done { has_told, .. }) => {
                if *has_told && std::mem::take(&mut self.is_refused) | std::mem::take(&mut self.has_failed) {
                    tracing::info!("PagerDuty tells again which changes it relates to incidents");
                }
            }
            // The figures do not need them, so this is no warning.
            Ok(Round::Refused(error)) if !std::mem::replace(&mut self.is_refused, true) => {
                tracing::info!(
                    %error,
                    "PagerDuty refuses to tell which changes it relates to incidents: `pagerduty-dora explain` does not \
                     show them. The next attempt follows in a day"
                );
            }
            Err(error) if !std::mem::replace(&mut self.has_failed, true) => {
                tracing::info!(
                    %error,
                    "the changes that PagerDuty relates to incidents could not be read. The next attempt follows in \
                     five minutes"
                );
            }
            Ok(Round::Refused(_)) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_that_may_end_are_asked_again_soon() {
        let request = || "GET /incidents/Q1/related_change_events".to_owned();
        let text = || "Access Denied".to_owned();
        let server = |status| RestError::Server { request: request(), status, detail: text() };
        for (error, verdict) in [
            (RestError::Plan { request: request(), detail: text() }, ErrorMeaning::AllRefused),
            (RestError::Forbidden { request: request(), detail: text() }, ErrorMeaning::Refused),
            (RestError::NotFound { request: request() }, ErrorMeaning::Never),
            (RestError::Rejected { request: request(), status: 400, detail: text() }, ErrorMeaning::Never),
            (RestError::UnexpectedForm { request: request(), problem: text() }, ErrorMeaning::Never),
            (RestError::WindowTooFull { request: request(), place: text() }, ErrorMeaning::Never),
            (RestError::Unauthorized { request: request() }, ErrorMeaning::Later),
            (RestError::NotTheApi { request: request(), status: 302 }, ErrorMeaning::Later),
            (RestError::NotJson { request: request(), problem: text() }, ErrorMeaning::Later),
            (RestError::RateLimited { request: request() }, ErrorMeaning::Later),
            (server(500), ErrorMeaning::Later),
            (server(503), ErrorMeaning::Later),
            (RestError::Unreachable { request: request(), problem: text() }, ErrorMeaning::Later),
        ] {
            assert_eq!(ErrorMeaning::of(&error), verdict, "{error:?}");
        }
    }
}
