//! The failure event: what an incident's history comes to under a policy.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attribution::attribute;
use super::event::{Priority, Snapshot};
use super::history::{History, Stretch};
use super::id::{FailureId, IncidentId};
use super::policy::{Policy, Reopened, Start, WhichService};
use super::timestamp::Timestamp;

/// A failure as the JSON of the API, the listings and the store shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// `pagerduty:<incident>`, or the id that came by the event API.
    pub id: FailureId,
    /// Where it came from.
    pub source: Source,
    /// The PagerDuty incident.
    pub incident: Option<IncidentId>,
    /// The incident's number, as people see it.
    pub number: Option<i64>,
    /// What it was called last.
    pub title: Option<String>,
    /// The incident's page.
    pub url: Option<String>,
    /// Whether and how it counts.
    pub state: State,
    /// The rule that made it `ignored`.
    pub reason: Option<String>,
    /// When it began (rule 4).
    pub started_at: Timestamp,
    /// When it really ended (rule 5).
    pub finished_at: Option<Timestamp>,
    /// From start to end, or the time it was open, by `failure.reopened` (rule 7).
    pub time_to_restore_seconds: Option<f64>,
    /// The time it was open, pauses left out.
    pub active_seconds: Option<f64>,
    /// The first acknowledgement.
    pub acknowledged_at: Option<Timestamp>,
    /// How often it was reopened.
    pub reopened: usize,
    /// The incidents that were merged into it.
    pub merged: Vec<IncidentId>,
    /// The incident it was merged into.
    pub merged_into: Option<IncidentId>,
    /// The services it counts for.
    pub services: Vec<String>,
    /// The team it counts for.
    pub team: Option<String>,
    /// The env it happened in.
    pub env: String,
    /// Its severity, from the priority (rule 10).
    pub severity: Option<String>,
    /// The incident's last priority.
    pub priority: Option<String>,
    /// The incident's last urgency.
    pub urgency: Option<String>,
    /// Which step of rule 9 decided services, team and env.
    pub attribution: String,
    /// What is odd about it.
    pub flags: Vec<Flag>,
    /// The deployment that it is linked to.
    pub deployment: Option<String>,
}

/// Where a failure came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// PagerDuty's webhooks.
    Pagerduty,
    /// The event API.
    Api,
}

/// Whether and how a failure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has not ended.
    Open,
    /// It ended, and was restored.
    Completed,
    /// A rule says that it does not count.
    Ignored,
    /// It went on as another incident, and does not count on its own.
    Merged,
}

impl State {
    /// The word for it in JSON, tables and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Ignored => "ignored",
            Self::Merged => "merged",
        }
    }
}

/// Something odd about a failure's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Neither `created_at` nor the trigger is known: the start is the earliest event seen.
    Approximate,
    /// The end lay before the start and was moved to it.
    EndBeforeStart,
    /// An event was dated more than five minutes after it was received.
    InTheFuture,
}

impl Flag {
    /// The word for it in JSON and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approximate => "approximate",
            Self::EndBeforeStart => "end_before_start",
            Self::InTheFuture => "in_the_future",
        }
    }
}

/// What is told to backends beside the failure itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// `key:value` tags.
    pub tags: Vec<String>,
    /// The repository.
    pub repository_url: Option<String>,
    /// The commit at fault, in full.
    pub commit_sha: Option<String>,
    /// The version at fault.
    pub version: Option<String>,
    /// What PagerDuty calls the service.
    pub pagerduty_service: Option<String>,
    /// The end, for backends that take only a start and an end: start and time to restore added up.
    pub restored_at: Option<Timestamp>,
}

/// A failure and its details, as evaluated together.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The failure.
    pub failure: Failure,
    /// What goes along with it.
    pub details: Details,
}

/// Evaluates an incident. `None` while no event has shown it (a note alone is no failure).
pub fn evaluate(incident: &IncidentId, history: &History, policy: &Policy) -> Option<Evaluated> {
    let times = Times::of(history, policy)?;
    let service = match policy.service {
        WhichService::Last => history.latest(|facts| facts.service.as_ref()),
        WhichService::First => history.earliest(|facts| facts.service.as_ref()),
    };
    let team = history.latest(|facts| facts.teams.as_ref()).and_then(|teams| teams.first());
    let attribution = attribute(policy, service, team);
    let priority = priority(history);
    let merge = history.deciding_resolve().and_then(|resolve| resolve.merge.as_ref());
    let time_to_restore_nanos = times.time_to_restore_nanos(policy.reopened);
    let failure = Failure {
        id: FailureId::of_incident(incident),
        source: Source::Pagerduty,
        incident: Some(incident.clone()),
        number: history.latest(|facts| facts.number.as_ref()).copied(),
        title: history.latest(|facts| facts.title.as_ref()).cloned(),
        url: history.latest(|facts| facts.url.as_ref()).cloned(),
        state: match (merge, times.finished_at) {
            (Some(_), _) => State::Merged,
            (None, Some(_)) => State::Completed,
            (None, None) => State::Open,
        },
        reason: None,
        started_at: times.started_at,
        finished_at: times.finished_at,
        time_to_restore_seconds: time_to_restore_nanos.map(seconds),
        active_seconds: times.active_nanos.map(seconds),
        acknowledged_at: history.acknowledged_at(),
        reopened: times.reopened,
        merged: Vec::new(),
        merged_into: merge.and_then(|merge| merge.into.clone()),
        services: attribution.services,
        team: attribution.team,
        env: attribution.env,
        severity: priority.map(|name| policy.severities.get(name).unwrap_or(name).clone()),
        priority: priority.cloned(),
        urgency: history.latest(|facts| facts.urgency.as_ref()).cloned(),
        attribution: attribution.step.to_owned(),
        flags: times.flags,
        deployment: None,
    };
    let details = Details {
        tags: attribution.tags,
        repository_url: attribution.repository_url,
        pagerduty_service: service.and_then(|service| service.name.clone()),
        restored_at: time_to_restore_nanos
            .and_then(|nanos| u64::try_from(nanos).ok())
            .map(|nanos| times.started_at.saturating_add(Duration::from_nanos(nanos))),
        ..Details::default()
    };
    Some(Evaluated { failure, details })
}

/// Rule 10: the last priority, unless it was taken away again.
fn priority(history: &History) -> Option<&String> {
    match history.latest(|facts: &Snapshot| facts.priority.as_ref())? {
        Priority::Named(name) => Some(name),
        Priority::Erased => None,
    }
}

/// Nanoseconds as seconds with a fraction.
#[expect(clippy::cast_precision_loss, reason = "exact to the microsecond for three centuries")]
pub fn seconds(nanos: i64) -> f64 {
    // Through whole microseconds: 2530.5 s must not come out as 2530.4999999999995.
    (nanos / 1_000) as f64 / 1e6
}

/// The times of a failure: rules 4, 5, 7 and 14.
struct Times {
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    active_nanos: Option<i64>,
    reopened: usize,
    flags: Vec<Flag>,
}

impl Times {
    fn of(history: &History, policy: &Policy) -> Option<Self> {
        let stretches = history.stretches();
        let (started_at, is_approximate) = start(history, policy.start)?;
        let resolved_at = stretches.last().and_then(|stretch| stretch.resolved_at);
        let ends_before_start = resolved_at.is_some_and(|resolved_at| resolved_at < started_at);
        let flags = [
            is_approximate.then_some(Flag::Approximate),
            ends_before_start.then_some(Flag::EndBeforeStart),
            history.in_the_future().then_some(Flag::InTheFuture),
        ];
        Some(Self {
            started_at,
            finished_at: resolved_at.map(|resolved_at| resolved_at.max(started_at)),
            active_nanos: active_nanos(&stretches, started_at),
            reopened: stretches.len() - 1,
            flags: flags.into_iter().flatten().collect(),
        })
    }

    fn time_to_restore_nanos(&self, reopened: Reopened) -> Option<i64> {
        match reopened {
            Reopened::WallClock => self.finished_at.map(|end| end.nanos_since(self.started_at)),
            Reopened::ActiveTime => self.active_nanos,
        }
    }
}

/// Rule 4: the start, and whether it is only approximate.
fn start(history: &History, start: Start) -> Option<(Timestamp, bool)> {
    let created_at = history.latest(|facts| facts.created_at.as_ref()).copied();
    let chosen = match start {
        Start::Created => None,
        Start::Triggered => history.triggered_at(),
        Start::Acknowledged => history.acknowledged_before_first_end(),
    };
    match chosen.or(created_at).or(history.triggered_at()) {
        Some(started_at) => Some((started_at, false)),
        None => history.first_seen_at().map(|first_seen_at| (first_seen_at, true)),
    }
}

/// The sum of the stretches, none of them counted negative; `None` while one lasts.
fn active_nanos(stretches: &[Stretch], started_at: Timestamp) -> Option<i64> {
    stretches.iter().try_fold(0_i64, |sum, stretch| {
        let from = stretch.reopened_at.unwrap_or(started_at);
        Some(sum.saturating_add(stretch.resolved_at?.nanos_since(from).max(0)))
    })
}
