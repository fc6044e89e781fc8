//! The log of a backend: a line where its state changes, a few for what a person has to decide about, and none for
//! each row.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lane::StateChange;
use super::lanes::SharedLane;
use crate::domain::forwarding::Subject;
use crate::domain::lane::{BackendState, Lane, LaneHealth};
use crate::domain::timestamp::Timestamp;
use crate::log_limit::LogLimit;
use crate::store::{AttemptOutcome, Claimed};

/// Time after which a backlog that is still being sent is told of all the same.
const LONGEST_CATCHING_UP: Duration = Duration::from_mins(1);

/// A backend that is asked again sooner than that may well answer then.
const SHORTEST_TOLD: Duration = Duration::from_secs(2);

/// State of one backend's log lines.
pub(super) struct BackendLog {
    backend: String,
    lanes: [LaneLog; 2],
    dead: LogLimit,
    store: LogLimit,
}

#[derive(Default)]
struct LaneLog {
    /// Lines that say that the backend is down, one limit for each state.
    down: [LogLimit; BackendState::ALL.len()],
    /// `true` once such a line was written, until the line that says that it is over.
    is_told: AtomicBool,
    catching_up: Mutex<Option<CatchingUp>>,
}

/// A backend that answers again, and has not been sent all that waited.
struct CatchingUp {
    since: Timestamp,
    was: BackendState,
    lasted: Duration,
    sent: u64,
}

impl BackendLog {
    pub(super) fn new(backend: &str) -> Self {
        Self {
            backend: backend.to_owned(),
            lanes: Default::default(),
            dead: LogLimit::default(),
            store: LogLimit::default(),
        }
    }

    fn of(&self, lane: Lane) -> &LaneLog {
        match lane {
            Lane::Main => &self.lanes[0],
            Lane::ApplicationKey => &self.lanes[1],
        }
    }

    /// The backend, and the credential where it is not the usual one.
    fn name(&self, lane: Lane) -> String {
        match lane {
            Lane::Main => format!("backend {}", self.backend),
            Lane::ApplicationKey => format!("backend {} (application key)", self.backend),
        }
    }

    /// An attempt, once what came of it is recorded.
    pub(super) fn attempted(&self, lane: Lane, claimed: &Claimed, outcome: &AttemptOutcome) {
        let (backend, revision) = (self.backend.as_str(), claimed.revision);
        let (failure, deployment) = match &claimed.subject {
            Subject::Failure(id) => (Some(id.as_str()), None),
            Subject::Deployment(id) => (None, Some(id.as_str())),
        };
        match outcome {
            AttemptOutcome::Sent { .. } => {
                tracing::debug!(backend, failure, deployment, revision, "sent");
                if let Some(catching_up) = &mut *lock(&self.of(lane).catching_up) {
                    catching_up.sent += 1;
                }
            }
            AttemptOutcome::Retry { error, .. } => {
                tracing::debug!(
                    backend,
                    failure,
                    deployment,
                    revision,
                    error,
                    "not accepted: to be tried again"
                );
            }
            AttemptOutcome::Released { error, .. } => {
                tracing::debug!(backend, failure, deployment, revision, error, "our credentials are refused");
            }
            AttemptOutcome::Dead { error, .. } => {
                let Some(more) = self.dead.pass(Instant::now()) else { return };
                let text = self.refused(claimed);
                tracing::error!(backend, failure, deployment, revision, error, not_shown = more, "{text}");
            }
        }
    }

    fn refused(&self, claimed: &Claimed) -> String {
        let (backend, row) = (self.backend.as_str(), claimed.row);
        if claimed.repeats {
            format!(
                "backend {backend} may show an older state, which arrived late, and refused to be sent the newest one \
                 once more: mend that, then `pagerduty-dora outbox retry {row}`"
            )
        } else {
            format!("backend {backend} refused a row for good: see `pagerduty-dora outbox --state dead`")
        }
    }

    /// A change of state. To be called before [`Self::attempted`] is for the answer that brought it.
    pub(super) fn changed(&self, lane: Lane, change: Option<StateChange>, now: Timestamp) {
        let Some(StateChange { from: was, to, lasted }) = change else { return };
        let catching_up = CatchingUp { since: now, was, lasted, sent: 0 };
        *lock(&self.of(lane).catching_up) = Some(catching_up).filter(|_| to == BackendState::Delivering);
    }

    /// A backend that takes nothing: how many rows wait, and until when. One line a minute for each state; the first
    /// one once the next request is not at hand: before, it may be over at once, and more rows may come. Where a row is
    /// alone, no other is sent at once to see.
    pub(super) fn is_down(&self, lane: Lane, health: &LaneHealth, waiting: Option<i64>, now: Timestamp) {
        let (of, answered_at) = (self.of(lane), health.answered_at.unwrap_or(now));
        let is_at_hand = |then: Timestamp| then.duration_since(answered_at) < SHORTEST_TOLD;
        let may_be_over = health.not_before.is_some_and(is_at_hand) && waiting != Some(1);
        if may_be_over || of.down[health.state as usize].pass(Instant::now()).is_none() {
            return;
        }
        of.is_told.store(true, Ordering::Relaxed);
        let next = health.not_before.map(|then| match then.duration_since(now) {
            next if next < Duration::from_secs(1) => ", next try within a second".to_owned(),
            next => format!(", next try in {}", words(next)),
        });
        let next = next.unwrap_or_default();
        let lasts = health.since.map_or(Duration::ZERO, |since| now.duration_since(since));
        let since =
            if lasts < Duration::from_secs(1) { String::new() } else { format!(" for {}", words(lasts)) };
        let waiting = waiting.map(|waiting| format!(", {waiting} waiting")).unwrap_or_default();
        let text = format!("{}: {}{since}{waiting}{next}", self.name(lane), health.state.words());
        let error = health.error.as_deref();
        if health.state == BackendState::Refusing {
            tracing::error!(error, "{text}");
        } else {
            tracing::warn!(error, "{text}");
        }
    }

    /// A claim: where nothing was due any more, a backend that answers again has been sent all that waited.
    pub(super) fn claimed(&self, lane: &SharedLane, is_empty: bool, now: Timestamp) {
        let of = self.of(lane.lane);
        let mut catching_up = lock(&of.catching_up);
        let Some(CatchingUp { since, was, lasted, sent }) = &mut *catching_up else { return };
        let is_done = is_empty && lane.with(|state| state.in_flight()) == 0;
        if !is_done && now.duration_since(*since) < LONGEST_CATCHING_UP {
            return;
        }
        // Always, where a line said that it was down; else only after a while, as of a time before a restart.
        if of.is_told.swap(false, Ordering::Relaxed) || *lasted >= LONGEST_CATCHING_UP {
            let again = match was {
                BackendState::Refusing => "accepts our credentials again",
                BackendState::RateLimited => "takes requests again",
                _ => "reachable again",
            };
            let so_far = if is_done { "" } else { " so far" };
            tracing::info!("{}: {again} after {}, {sent} sent{so_far}", self.name(lane.lane), words(*lasted));
        }
        *catching_up = None;
    }

    /// Trouble with the store.
    pub(super) fn store_trouble(&self, trouble: &str, error: &dyn Display) {
        if let Some(not_shown) = self.store.pass(Instant::now()) {
            tracing::warn!(backend = self.backend, %error, not_shown, "{trouble}");
        }
    }
}

/// A panic elsewhere leaves a plain value behind, which is whole at every moment.
fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A length of time, as people say it.
fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_one_unit() {
        let said: Vec<String> =
            [0, 30, 119, 720, 7_200, 200_000].map(|seconds| words(Duration::from_secs(seconds))).into();
        assert_eq!(said, ["0 s", "30 s", "119 s", "12 min", "2 h", "2 days"]);
    }
}
