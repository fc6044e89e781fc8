//! Decides whether a backend is down, and what may be sent to it meanwhile. Pure: the loop passes in every answer.
//! `docs/forwarding.md` has the rules ("A backend that is down").
//!
//! One failed request says little about the backend: its row may be at fault. So after the first failure the next row
//! is sent alone and at once, as a probe. If the probe is accepted, all rows go on, and only the row that failed waits.
//! If the probe fails too, the backend is down: only probes are sent, one at a time, with longer and longer waits.
//!
//! - No answer, or 503: the next request is a probe, unless the backend accepted another row meanwhile.
//! - Another 5xx, 404, 405, 408, 425 or an unknown status: the same, once two rows in a row are answered so.
//! - 429: the backend asks to wait.
//! - 401, 403 and redirects: the backend refuses the credentials. One probe a minute is sent, the first one at once if
//!   the backend accepted a request before.
//! - Everything else, also 400: the backend answers.
//!
//! A row that failed before is at fault itself if the backend has accepted others since. No answer to that row takes
//! the backend down, and the row waits alone. So each row at fault can hold up the others at most once, until a probe
//! is accepted. Probes alternate between the newest row that has not failed and the row that is due longest. A suspect
//! row, or the row of the last probe, is taken only if no other row is due.

use std::time::Duration;

use crate::domain::forwarding::Action;
use crate::domain::lane::{BackendState, LaneHealth};
use crate::domain::retry::{Verdict, probe_wait};
use crate::domain::timestamp::Timestamp;
use crate::store::ClaimOrder;

/// Wait between two probes of a backend that refuses our credentials.
pub(super) const REFUSED_WAIT: Duration = Duration::from_mins(1);
/// Wait after a 429 that does not say how long.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(1);

/// Evidence that an attempt gives about the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Nothing: no request was sent.
    None,
    /// The backend accepted a request.
    Accepted,
    /// The backend answered, and the answer is about the row.
    Answered,
    /// The backend does not answer, or answers 503. The wait is the one that it asks for.
    Down(Option<Duration>),
    /// Either the backend is down, or it cannot take this row.
    Doubtful(Option<Duration>),
    /// The backend asks to wait.
    RateLimited(Option<Duration>),
    /// The backend refuses our credentials.
    Refused,
}

impl Evidence {
    /// Evidence of this answer.
    pub(super) fn of(verdict: Verdict, status: Option<u16>, action: Action) -> Self {
        match (verdict, status) {
            (Verdict::Sent | Verdict::Dead, None) => Self::None,
            (Verdict::Sent, _) => Self::Accepted,
            (Verdict::Dead, _) => Self::Answered,
            (Verdict::CredentialsRefused, _) => Self::Refused,
            // Datadog does not know the deployment yet.
            (_, Some(404)) if matches!(action, Action::Mark | Action::Unmark) => Self::Answered,
            (Verdict::Retry(requested), Some(429)) => Self::RateLimited(requested),
            (Verdict::Retry(requested), None | Some(503)) => Self::Down(requested),
            (Verdict::Retry(requested), _) => Self::Doubtful(requested),
            (Verdict::NotFound, _) => Self::Doubtful(None),
        }
    }
}

/// Facts about an attempt that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttemptFacts {
    row: i64,
    /// Start of the failed attempts at the end of the row's attempts.
    failing_since: Option<Timestamp>,
    /// Number of good answers when the attempt began.
    answers_before: u64,
    is_probe: bool,
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StateChange {
    pub(super) from: BackendState,
    pub(super) to: BackendState,
    /// Duration of the earlier state.
    pub(super) lasted: Duration,
}

/// State of one lane.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    health: LaneHealth,
    /// Number of good answers so far. An answer is good if the backend accepts the row, or rejects the row itself.
    answers: u64,
    /// Row of the last doubtful answer, if no good answer followed.
    doubtful: Option<i64>,
    /// The probe under way.
    probe: Option<i64>,
    /// Row that failed last, if no good answer followed.
    failed: Option<i64>,
    /// Number of attempts under way.
    in_flight: usize,
}

impl LaneState {
    /// State of a lane that begins with the health that an earlier process saved.
    pub(super) fn from_saved(health: LaneHealth) -> Self {
        Self { health, ..Self::default() }
    }

    /// Health of the lane.
    pub(super) fn health(&self) -> &LaneHealth {
        &self.health
    }

    /// Number of attempts under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Number of attempts that may begin now. The caller has room for `most` more.
    pub(super) fn room(&self, most: usize, now: Timestamp) -> usize {
        match self.health.not_before {
            None => most,
            Some(_) if self.probe.is_some() || self.health.next_probe_at(now).is_some() => 0,
            Some(_) => most.min(1),
        }
    }

    /// Order in which rows are claimed now. Probes alternate: the backend may accept the newest row while older ones
    /// are at fault, and with time each row that waits is tried.
    pub(super) fn choice(&self) -> ClaimOrder {
        match self.health.not_before {
            None => ClaimOrder::All,
            Some(_) => {
                ClaimOrder::Probe { newest: self.health.failed_probes.is_multiple_of(2), last: self.failed }
            }
        }
    }

    /// `true` if a failure of this attempt is the fault of its row: the row failed before, and the backend has accepted
    /// others since.
    pub(super) fn is_own_fault(&self, tried: &AttemptFacts) -> bool {
        tried.failing_since.is_some_and(|since| self.health.succeeded_at >= Some(since))
    }

    /// Notes that an attempt begins.
    pub(super) fn begin(&mut self, row: i64, failing_since: Option<Timestamp>) -> AttemptFacts {
        let is_probe = self.health.not_before.is_some();
        if is_probe {
            self.probe = Some(row);
        }
        self.in_flight += 1;
        AttemptFacts { row, failing_since, answers_before: self.answers, is_probe }
    }

    /// Notes the end of an attempt. It is called for every attempt, also for one that panicked.
    pub(super) fn end(&mut self, tried: AttemptFacts) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.probe == Some(tried.row) {
            self.probe = None;
        }
    }

    /// Lets the next probe be sent now.
    pub(super) fn probe_now(&mut self, now: Timestamp) {
        self.health.not_before = self.health.not_before.map(|then| then.min(now));
    }

    /// Notes the evidence of an attempt. `jitter` is drawn at random from 0 to 1.
    pub(super) fn note(
        &mut self,
        tried: AttemptFacts,
        evidence: Evidence,
        now: Timestamp,
        jitter: f64,
    ) -> Option<StateChange> {
        // Other rows were accepted meanwhile, so the backend is not down. Only this row waits.
        let others_go_on = self.answers > tried.answers_before;
        match evidence {
            Evidence::None => None,
            Evidence::Accepted => {
                self.health.succeeded_at = Some(now);
                self.record_success(now)
            }
            Evidence::Answered => self.record_success(now),
            Evidence::RateLimited(requested) => {
                let pause = probe_wait(self.failed(tried), requested.or(Some(RATE_LIMIT_WAIT)), jitter);
                self.block(tried, BackendState::RateLimited, now, pause)
            }
            _ if others_go_on => None,
            _ if self.is_own_fault(&tried) => self.record_own_fault(tried, now, jitter),
            Evidence::Refused => {
                // If rows were accepted before, this row alone may be at fault. The next row is sent at once as a
                // probe.
                let may_be_own = !tried.is_probe && self.health.succeeded_at.is_some();
                let pause = if may_be_own { Duration::ZERO } else { REFUSED_WAIT };
                self.block(tried, BackendState::Refusing, now, pause)
            }
            Evidence::Doubtful(requested) if !tried.is_probe => {
                let before = self.doubtful.replace(tried.row);
                match before {
                    None => None,
                    // No other row waits, so no row is held up. It is not known whether the row or the backend is at
                    // fault.
                    Some(row) if row == tried.row => self.change(BackendState::Unreachable, now),
                    Some(_) => self.fail(tried, requested, now, jitter),
                }
            }
            Evidence::Doubtful(requested) | Evidence::Down(requested) => {
                self.fail(tried, requested, now, jitter)
            }
        }
    }

    fn record_success(&mut self, now: Timestamp) -> Option<StateChange> {
        self.answers += 1;
        (self.doubtful, self.failed) = (None, None);
        (self.health.not_before, self.health.failed_probes) = (None, 0);
        self.change(BackendState::Delivering, now)
    }

    /// Failed probes in a row, this attempt included.
    fn failed(&self, tried: AttemptFacts) -> u32 {
        self.health.failed_probes + u32::from(tried.is_probe)
    }

    /// Notes a failure that is the fault of its row. If the attempt was a probe, another row is sent as the next probe.
    fn record_own_fault(&mut self, tried: AttemptFacts, now: Timestamp, jitter: f64) -> Option<StateChange> {
        if !tried.is_probe {
            return None;
        }
        let state = self.health.state;
        let pause = match state {
            BackendState::Refusing => REFUSED_WAIT,
            _ => probe_wait(self.failed(tried), None, jitter),
        };
        self.block(tried, state, now, pause)
    }

    fn fail(
        &mut self,
        tried: AttemptFacts,
        requested: Option<Duration>,
        now: Timestamp,
        jitter: f64,
    ) -> Option<StateChange> {
        let pause = probe_wait(self.failed(tried), requested, jitter);
        let is_certain = tried.is_probe || requested.is_some();
        let state = if is_certain { BackendState::Unreachable } else { self.health.state };
        self.block(tried, state, now, pause)
    }

    /// Lets only probes through from now on.
    fn block(
        &mut self,
        tried: AttemptFacts,
        state: BackendState,
        now: Timestamp,
        pause: Duration,
    ) -> Option<StateChange> {
        self.failed = Some(tried.row);
        self.health.failed_probes = self.failed(tried).min(u32::MAX - 1);
        let then = now.saturating_add(pause);
        // Attempts that were under way when the first one failed do not shorten the wait.
        let longest =
            self.health.not_before.filter(|_| !tried.is_probe).map_or(then, |before| before.max(then));
        self.health.not_before = Some(longest);
        self.change(state, now)
    }

    fn change(&mut self, to: BackendState, now: Timestamp) -> Option<StateChange> {
        let from = std::mem::replace(&mut self.health.state, to);
        if from == to {
            return None;
        }
        let since = self.health.since.replace(now);
        Some(StateChange {
            from,
            to,
            lasted: since.map(|since| now.duration_since(since)).unwrap_or_default(),
        })
    }

    /// Stores the last answer, for tables and the dashboard.
    pub(super) fn record_answer(&mut self, status: Option<u16>, error: Option<String>, now: Timestamp) {
        (self.health.answered_at, self.health.status, self.health.error) = (Some(now), status, error);
    }
}

#[cfg(test)]
mod tests;
