//! The decision whether a backend is down, and what may be sent to it meanwhile. Pure: the loop tells it every answer.
//!
//! One request that fails says little: its row may be at fault. So the first failure only has the next row sent alone,
//! at once, as a probe. If the probe is accepted, all rows go on, and the row that failed waits by itself. If the probe
//! fails too, the backend is down: one probe at a time is sent, with longer and longer waits, and nothing else.
//!
//! - No answer, or 503: the next request is a probe, unless the backend accepted another row meanwhile.
//! - Another 5xx, 404, 405, 408 or an odd status: the same, once a second row is answered so in a row.
//! - 429: the backend asks to wait.
//! - 401, 403 and redirects: the credentials are refused; one probe a minute, and the first at once where the backend
//!   accepted a request before.
//! - Everything else, also 400: the backend answers.
//!
//! A row that failed before, while others were accepted since, is at fault itself: no answer to it takes the backend
//! down, and it waits alone. So each row at fault can stop the others once at most, and only until a probe is accepted.
//! Probes take turns between the newest row that has not failed and the one that is due longest, and take a suspect
//! row, or that of the last probe, only where no other is due.

use std::time::Duration;

use crate::domain::forwarding::Action;
use crate::domain::lane::{BackendState, LaneHealth};
use crate::domain::retry::{Verdict, probe_wait};
use crate::domain::timestamp::Timestamp;
use crate::store::ClaimOrder;

/// While a backend refuses our credentials it is asked once in this time, with one row.
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
    /// The backend does not answer.
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
            (Verdict::Refused, _) => Self::Refused,
            // Datadog does not know the deployment yet.
            (_, Some(404)) if matches!(action, Action::Mark | Action::Unmark) => Self::Answered,
            (Verdict::Retry(asked), Some(429)) => Self::RateLimited(asked),
            (Verdict::Retry(asked), None | Some(503)) => Self::Down(asked),
            (Verdict::Retry(asked), _) => Self::Doubtful(asked),
            (Verdict::NotFound, _) => Self::Doubtful(None),
        }
    }
}

/// An attempt, as the lane remembers it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried {
    row: i64,
    /// Start of the row's present run of failures.
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
    /// Duration of the state before.
    pub(super) lasted: Duration,
}

/// A lane as one loop sees it.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    health: LaneHealth,
    /// Good answers so far.
    answers: u64,
    /// The row that was answered doubtfully last, with no good answer since.
    doubtful: Option<i64>,
    /// The probe under way.
    probe: Option<i64>,
    /// The row that failed last, with no good answer since.
    failed: Option<i64>,
    /// Attempts under way.
    in_flight: usize,
}

impl LaneState {
    /// Lane as an earlier process left it.
    pub(super) fn left(health: LaneHealth) -> Self {
        Self { health, ..Self::default() }
    }

    /// Health of the lane.
    pub(super) fn health(&self) -> &LaneHealth {
        &self.health
    }

    /// Attempts under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Number of attempts that may begin, if `most` may be added to those under way.
    pub(super) fn room(&self, most: usize, now: Timestamp) -> usize {
        match self.health.not_before {
            None => most,
            Some(_) if self.probe.is_some() || self.health.next_probe_at(now).is_some() => 0,
            Some(_) => most.min(1),
        }
    }

    /// Rows to be sent now. Probes take turns: the newest row may be one that the backend takes, where older ones are
    /// at fault, and in the end each row that waits is tried.
    pub(super) fn choice(&self) -> ClaimOrder {
        match self.health.not_before {
            None => ClaimOrder::All,
            Some(_) => {
                ClaimOrder::Probe { newest: self.health.failed_probes.is_multiple_of(2), last: self.failed }
            }
        }
    }

    /// `true` if a failure of this attempt is the fault of its row: it failed before, and the backend accepted others
    /// since.
    pub(super) fn is_own_fault(&self, tried: &Tried) -> bool {
        tried.failing_since.is_some_and(|since| self.health.succeeded_at >= Some(since))
    }

    /// Notes that an attempt begins.
    pub(super) fn begin(&mut self, row: i64, failing_since: Option<Timestamp>) -> Tried {
        let is_probe = self.health.not_before.is_some();
        if is_probe {
            self.probe = Some(row);
        }
        self.in_flight += 1;
        Tried { row, failing_since, answers_before: self.answers, is_probe }
    }

    /// Notes that an attempt ended, whatever came of it. One that panicked is noted by this alone.
    pub(super) fn end(&mut self, tried: Tried) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.probe == Some(tried.row) {
            self.probe = None;
        }
    }

    /// Has the next probe go out now.
    pub(super) fn probe_now(&mut self, now: Timestamp) {
        self.health.not_before = self.health.not_before.map(|then| then.min(now));
    }

    /// Notes what an attempt says of the backend; `share` is drawn from 0 to 1.
    pub(super) fn note(
        &mut self,
        tried: Tried,
        evidence: Evidence,
        now: Timestamp,
        share: f64,
    ) -> Option<StateChange> {
        // While other rows are accepted, the row is at fault, or bad luck.
        let others_go_on = self.answers > tried.answers_before;
        match evidence {
            Evidence::None => None,
            Evidence::Accepted => {
                self.health.succeeded_at = Some(now);
                self.answers_well(now)
            }
            Evidence::Answered => self.answers_well(now),
            Evidence::RateLimited(asked) => {
                let pause = probe_wait(self.failed(tried), asked.or(Some(RATE_LIMIT_WAIT)), share);
                self.block(tried, BackendState::RateLimited, now, pause)
            }
            _ if others_go_on => None,
            _ if self.is_own_fault(&tried) => self.fails_by_itself(tried, now, share),
            Evidence::Refused => {
                // Where rows were accepted before, another one shows at once if this is refused for its own sake.
                let may_be_own = !tried.is_probe && self.health.succeeded_at.is_some();
                let pause = if may_be_own { Duration::ZERO } else { REFUSED_WAIT };
                self.block(tried, BackendState::Refusing, now, pause)
            }
            Evidence::Doubtful(asked) if !tried.is_probe => {
                let is_second = self.doubtful.replace(tried.row);
                match is_second {
                    None => None,
                    // Nothing else waits: what is down cannot be told from a row at fault, and holds up nobody.
                    Some(row) if row == tried.row => self.change(BackendState::Unreachable, now),
                    Some(_) => self.fail(tried, asked, now, share),
                }
            }
            Evidence::Doubtful(asked) | Evidence::Down(asked) => self.fail(tried, asked, now, share),
        }
    }

    fn answers_well(&mut self, now: Timestamp) -> Option<StateChange> {
        self.answers += 1;
        (self.doubtful, self.failed) = (None, None);
        (self.health.not_before, self.health.failed_probes) = (None, 0);
        self.change(BackendState::Delivering, now)
    }

    /// Failed probes in a row, this attempt included.
    fn failed(&self, tried: Tried) -> u32 {
        self.health.failed_probes + u32::from(tried.is_probe)
    }

    /// Says nothing of the backend, but that a probe of another row has to follow.
    fn fails_by_itself(&mut self, tried: Tried, now: Timestamp, share: f64) -> Option<StateChange> {
        if !tried.is_probe {
            return None;
        }
        let state = self.health.state;
        let pause = match state {
            BackendState::Refusing => REFUSED_WAIT,
            _ => probe_wait(self.failed(tried), None, share),
        };
        self.block(tried, state, now, pause)
    }

    fn fail(
        &mut self,
        tried: Tried,
        asked: Option<Duration>,
        now: Timestamp,
        share: f64,
    ) -> Option<StateChange> {
        let pause = probe_wait(self.failed(tried), asked, share);
        let is_certain = tried.is_probe || asked.is_some();
        let state = if is_certain { BackendState::Unreachable } else { self.health.state };
        self.block(tried, state, now, pause)
    }

    /// Lets only probes through from now on.
    fn block(
        &mut self,
        tried: Tried,
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

    /// Notes the words of an answer.
    pub(super) fn heard(&mut self, status: Option<u16>, error: Option<String>, now: Timestamp) {
        (self.health.answered_at, self.health.status, self.health.error) = (Some(now), status, error);
    }
}

#[cfg(test)]
mod tests;
