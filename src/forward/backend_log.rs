//! Log of a backend: a line when its state changes, and a line for rejected rows, which need a person. All other
//! attempts are logged at the level debug only.

use std::collections::BTreeSet;
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
use crate::store::{AttemptOutcome, Claimed, MOST_COUNTED};

/// Time after which a recovery is logged even if rows still wait.
const LONGEST_CATCHING_UP: Duration = Duration::from_mins(1);

/// A backend is logged as down only if the next probe is at least this far away. Before that it often recovers.
const SHORTEST_WAIT_LOGGED: Duration = Duration::from_secs(2);

/// State of one backend's log lines.
pub(super) struct BackendLog {
    backend: String,
    lanes: [LaneLog; 2],
    dead: LogLimit,
    suspect: LogLimit,
    /// Suspect rows that were logged. Each is logged once, until it is accepted or rejected.
    suspects: Mutex<BTreeSet<i64>>,
    store: LogLimit,
}

/// Failed attempts after which a row is logged that fails while others are accepted. The store then marks it as suspect.
const LOGGED_FROM_ATTEMPTS: u32 = 3;
/// Largest number of suspect rows that are remembered.
const MOST_SUSPECTS: usize = 1_000;

#[derive(Default)]
struct LaneLog {
    /// Limits of the lines about a backend that is down, one for each state.
    down: [LogLimit; BackendState::ALL.len()],
    /// `true` from the first of these lines until the line about the recovery.
    is_logged_as_down: AtomicBool,
    catching_up: Mutex<Option<CatchingUp>>,
}

/// A backend that answers again while rows still wait.
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
            suspect: LogLimit::default(),
            suspects: Mutex::default(),
            store: LogLimit::default(),
        }
    }

    fn of(&self, lane: Lane) -> &LaneLog {
        match lane {
            Lane::Main => &self.lanes[0],
            Lane::ApplicationKey => &self.lanes[1],
        }
    }

    /// Name of the backend, with the credential if it is not the usual one.
    fn name(&self, lane: Lane) -> String {
        match lane {
            Lane::Main => format!("backend {}", self.backend),
            Lane::ApplicationKey => format!("backend {} (application key)", self.backend),
        }
    }

    /// Logs an attempt. Must be called after its result was recorded.
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
                    "not accepted: will be retried"
                );
            }
            AttemptOutcome::CredentialsRefused { error, .. } => {
                tracing::debug!(backend, failure, deployment, revision, error, "credentials refused");
            }
            AttemptOutcome::Dead { error, .. } => {
                let Some(held_back) = self.dead.pass(Instant::now()) else { return };
                let (row, text) = (claimed.row, self.rejection(claimed));
                tracing::error!(backend, row, failure, deployment, revision, error, held_back, "{text}");
            }
        }
    }

    /// Logs a row that fails again and again while the backend accepts others, once.
    pub(super) fn own_fault(&self, claimed: &Claimed, outcome: &AttemptOutcome, is_own_fault: bool) {
        let (AttemptOutcome::Retry { error, .. } | AttemptOutcome::CredentialsRefused { error, .. }) =
            outcome
        else {
            lock(&self.suspects).remove(&claimed.row);
            return;
        };
        if !is_own_fault || claimed.attempts + 1 < LOGGED_FROM_ATTEMPTS {
            return;
        }
        let is_new = {
            let mut suspects = lock(&self.suspects);
            suspects.len() < MOST_SUSPECTS && suspects.insert(claimed.row)
        };
        if is_new && let Some(held_back) = self.suspect.pass(Instant::now()) {
            let (backend, row, subject) = (self.backend.as_str(), claimed.row, claimed.subject.id());
            tracing::warn!(
                backend,
                row,
                subject,
                error,
                held_back,
                "backend {backend} accepts other rows, but row {row} fails again and again. It is kept and retried. Look \
                 for the reason in the backend's own log; `pagerduty-dora outbox discard {row}` gives it up"
            );
        }
    }

    fn rejection(&self, claimed: &Claimed) -> String {
        let (backend, row) = (self.backend.as_str(), claimed.row);
        if claimed.repeats {
            format!(
                "backend {backend} may show an older state: an old request arrived late, and the backend rejected the \
                 correction. Correct the cause, then `pagerduty-dora outbox retry {row}`"
            )
        } else {
            format!(
                "backend {backend} rejected a row: see `pagerduty-dora outbox --state dead`. It is kept, and not sent again \
                 by itself. Correct the cause, then `pagerduty-dora outbox retry {row}`"
            )
        }
    }

    /// Notes a change of state. Must be called before [`Self::attempted`] for the same answer.
    pub(super) fn changed(&self, lane: Lane, change: Option<StateChange>, now: Timestamp) {
        let Some(StateChange { from: was, to, lasted }) = change else { return };
        let catching_up = CatchingUp { since: now, was, lasted, sent: 0 };
        *lock(&self.of(lane).catching_up) = Some(catching_up).filter(|_| to == BackendState::Delivering);
    }

    /// Logs that the backend is down, how many rows wait, and when the next probe is sent: at most one line a minute
    /// for each state. Nothing is logged while the next probe follows within [`SHORTEST_WAIT_LOGGED`], because the
    /// backend may answer it. A row that waits alone is logged at once, because no other row follows as a probe.
    ///
    /// `count` counts the waiting rows, up to the number that it gets. It is called only for a line that may be written.
    pub(super) async fn log_down(
        &self,
        lane: Lane,
        health: &LaneHealth,
        now: Timestamp,
        count: impl AsyncFnOnce(u32) -> Option<u32>,
    ) {
        let of = self.of(lane);
        let limit = &of.down[health.state as usize];
        if !limit.is_open(Instant::now()) {
            return;
        }
        let is_near = probe_is_near(health, now);
        let waiting = count(if is_near { 2 } else { MOST_COUNTED }).await;
        if (is_near && waiting != Some(1)) || limit.pass(Instant::now()).is_none() {
            return;
        }
        of.is_logged_as_down.store(true, Ordering::Relaxed);
        let next = health.not_before.map(|then| match then.duration_since(now) {
            next if next < Duration::from_secs(1) => ", next attempt within a second".to_owned(),
            next => format!(", next attempt in {}", words(next)),
        });
        let next = next.unwrap_or_default();
        let lasts = health.since.map_or(Duration::ZERO, |since| now.duration_since(since));
        let since =
            if lasts < Duration::from_secs(1) { String::new() } else { format!(" for {}", words(lasts)) };
        let waiting = waiting.map(|waiting| match waiting {
            MOST_COUNTED => format!(", {waiting} or more waiting"),
            _ => format!(", {waiting} waiting"),
        });
        let waiting = waiting.unwrap_or_default();
        let text = format!(
            "{}: {}{since}{waiting}{next}{}",
            self.name(lane),
            health.state.description(),
            remedy(health.state, health.status)
        );
        let (backend, error) = (self.backend.as_str(), health.error.as_deref());
        if health.state == BackendState::Refusing {
            tracing::error!(backend, error, "{text}");
        } else {
            tracing::warn!(backend, error, "{text}");
        }
    }

    /// Logs the recovery of a backend, once a claim finds no more rows or [`LONGEST_CATCHING_UP`] has passed.
    pub(super) fn claimed(&self, lane: &SharedLane, is_empty: bool, now: Timestamp) {
        let of = self.of(lane.lane);
        let mut catching_up = lock(&of.catching_up);
        let Some(CatchingUp { since, was, lasted, sent }) = &mut *catching_up else { return };
        let is_done = is_empty && lane.with(|state| state.in_flight()) == 0;
        if !is_done && now.duration_since(*since) < LONGEST_CATCHING_UP {
            return;
        }
        // Every line about a backend that is down is followed by a line about its recovery. Without such a line, only a
        // longer outage has a line, such as one that began before a restart.
        if of.is_logged_as_down.swap(false, Ordering::Relaxed) || *lasted >= LONGEST_CATCHING_UP {
            let again = match was {
                BackendState::Refusing => "accepts our credentials again",
                BackendState::RateLimited => "accepts requests again",
                _ => "reachable again",
            };
            let so_far = if is_done { "" } else { " so far" };
            let backend = self.backend.as_str();
            tracing::info!(
                backend,
                "{}: {again} after {}, {sent} sent{so_far}",
                self.name(lane.lane),
                words(*lasted)
            );
        }
        *catching_up = None;
    }

    /// Logs an error of the store.
    pub(super) fn store_trouble(&self, trouble: &str, error: &dyn Display) {
        if let Some(held_back) = self.store.pass(Instant::now()) {
            tracing::warn!(backend = self.backend, %error, held_back, "{trouble}");
        }
    }
}

/// `true` if the next probe follows soon, so that the outage may be over before it is worth a line.
fn probe_is_near(health: &LaneHealth, now: Timestamp) -> bool {
    let answered_at = health.answered_at.unwrap_or(now);
    health.not_before.is_some_and(|then| then.duration_since(answered_at) < SHORTEST_WAIT_LOGGED)
}

/// What the operator can do about a backend in this state whose last answer had this status, with its leading full
/// stop.
const fn remedy(state: BackendState, status: Option<u16>) -> &'static str {
    match (state, status) {
        (BackendState::Refusing, Some(300..400)) => {
            ". Nothing is lost. It redirects: put the right url into its [[backend]] entry, then reload or restart"
        }
        (BackendState::Refusing, _) => {
            ". Nothing is lost. Put the right key where its [[backend]] entry says, then reload or restart. The next attempt follows \
             within a minute, or at once after `pagerduty-dora outbox retry --all`"
        }
        (BackendState::Unreachable, Some(404 | 405)) => {
            ". Nothing is lost. It answers: check the path in its url, and the proxy before it"
        }
        (BackendState::Unreachable, Some(_)) => ". Nothing is lost. It answers with errors: see its own log",
        (BackendState::Unreachable, None) => {
            ". Nothing is lost. Check that it is up and that its url is right"
        }
        (BackendState::RateLimited, _) => ". Nothing is lost",
        (BackendState::Idle | BackendState::Delivering, _) => "",
    }
}

/// Locks a value. Poisoning is ignored: a panic cannot leave the value half changed.
fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Duration in words.
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
    fn a_duration_has_one_unit() {
        let texts: Vec<String> =
            [0, 30, 119, 720, 7_200, 200_000].map(|seconds| words(Duration::from_secs(seconds))).into();
        assert_eq!(texts, ["0 s", "30 s", "119 s", "12 min", "2 h", "2 days"]);
    }

    #[tokio::test]
    async fn waiting_rows_are_counted_only_for_a_line_that_may_be_written() {
        let (log, now) = (BackendLog::new("metrics"), Timestamp::from_nanos(0));
        let down = |state, wait| LaneHealth {
            state,
            answered_at: Some(now),
            not_before: Some(now.saturating_add(Duration::from_secs(wait))),
            ..LaneHealth::default()
        };
        let (soon, later) = (down(BackendState::Unreachable, 1), down(BackendState::Unreachable, 5));
        // The number up to which rows are counted. Two wait.
        let counted = async |lane, health: &LaneHealth| {
            let mut counted = None;
            let count = async |most| {
                counted = Some(most);
                Some(2)
            };
            log.log_down(lane, health, now, count).await;
            counted
        };
        // Nothing is logged while two rows wait for a probe that is near.
        assert_eq!(counted(Lane::Main, &soon).await, Some(2));
        assert_eq!(counted(Lane::Main, &soon).await, Some(2));
        assert_eq!(counted(Lane::Main, &later).await, Some(MOST_COUNTED));
        assert_eq!((counted(Lane::Main, &soon).await, counted(Lane::Main, &later).await), (None, None));
        let other_line = down(BackendState::Refusing, 60);
        assert_eq!(counted(Lane::Main, &other_line).await, Some(MOST_COUNTED));
        assert_eq!(counted(Lane::ApplicationKey, &later).await, Some(MOST_COUNTED));
    }
}
