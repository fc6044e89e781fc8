//! Input of the figures: a few numbers for each failure and deployment, and the links between them.

use std::time::Duration;

use super::By;
use super::consequence::{FailureFacts, Stretch};
use super::deployed::{Deployed, Place};
use super::durations;
use super::names::{Name, Names, number};
use crate::domain::failure::{Failure, State};
use crate::domain::timestamp::Timestamp;

/// Properties that failures share: there are far fewer kinds than failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// State, which tells if they count.
    pub state: State,
    /// The services they count for.
    pub services: Vec<String>,
    /// The team.
    pub team: Option<String>,
    /// The env.
    pub env: String,
    /// The severity.
    pub severity: Option<String>,
    /// `true` if their times are good enough for a statistic of durations.
    pub has_good_times: bool,
}

impl From<&Failure> for Kind {
    fn from(failure: &Failure) -> Self {
        Self {
            state: failure.state,
            services: failure.services.clone(),
            team: failure.team.clone(),
            env: failure.env.clone(),
            severity: failure.severity.clone(),
            has_good_times: failure.has_good_times(),
        }
    }
}

/// Start, end and time to restore of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Start of the failure.
    pub started_at: Timestamp,
    /// End of the failure.
    pub finished_at: Option<Timestamp>,
    /// Its time to restore in whole microseconds, where that is not the time from start to end.
    pub restore_ns: Option<i64>,
}

impl Times {
    /// Times of a failure.
    pub fn of(failure: &Failure) -> Self {
        let Failure { started_at, finished_at, .. } = *failure;
        let whole = Self { started_at, finished_at, restore_ns: None };
        let restore_ns = failure.time_to_restore_seconds.map(durations::nanos);
        Self { restore_ns: restore_ns.filter(|nanos| Some(*nanos) != whole.restored()), ..whole }
    }

    /// Time to restore in nanoseconds. `None`: the failure has not ended.
    fn restored(self) -> Option<i64> {
        let from_start_to_end = || Some(self.finished_at?.nanos_since(self.started_at) / 1_000 * 1_000);
        self.restore_ns.or_else(from_start_to_end)
    }
}

/// Link from a failure to a deployment.
#[derive(Debug, Clone, Copy)]
pub enum Link {
    /// The one that is found for a failure that was created then.
    Automatic(Timestamp),
    /// This one, or none, because somebody said so.
    Named(Option<Place>),
}

/// A kind of failures, in numbers.
#[derive(Debug)]
pub(super) struct FailureKind {
    pub(super) state: State,
    /// Each once, in the order of their names.
    pub(super) services: Vec<Name>,
    pub(super) team: Option<Name>,
    pub(super) env: Name,
    pub(super) severity: Option<Name>,
    pub(super) has_good_times: bool,
    /// The kinds of deployment of these services, or of the team where there is no service, in this env.
    pub(super) own: Vec<u32>,
}

impl FailureKind {
    /// `true` if they count: neither ignored nor merged into another.
    pub(super) fn counts(&self) -> bool {
        matches!(self.state, State::Open | State::Completed)
    }

    /// `true` if they have not ended.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// `true` if they are in a statistic of durations.
    pub(super) fn has_duration(&self) -> bool {
        self.counts() && self.has_good_times
    }

    /// The rows that they are in.
    pub(super) fn keys(&self, by: By) -> Vec<Option<Name>> {
        match by {
            By::Service => self.services.iter().copied().map(Some).collect(),
            By::Team => self.team.map(Some).into_iter().collect(),
            By::Env => vec![Some(self.env)],
            By::Severity => vec![self.severity],
            By::None => vec![None],
        }
    }
}

/// Failures, gathered by kind until all deployments are there to be linked to.
#[derive(Debug, Default)]
pub struct Gathering {
    kinds: Vec<Kind>,
    /// Of each kind, those to be linked, and when they were created.
    unlinked: Vec<Vec<(FailureFacts, Timestamp)>>,
    /// The kind, and what somebody named.
    named: Vec<(u32, FailureFacts, Option<Place>)>,
}

/// Input of the figures.
#[derive(Debug, Default)]
pub struct Basis {
    pub(super) deployed: Deployed,
    pub(super) kinds: Vec<FailureKind>,
    /// Of each kind, in no order.
    pub(super) failures: Vec<Vec<FailureFacts>>,
    link_window: Duration,
}

impl Gathering {
    /// Adds a kind of failures, and returns its number.
    pub fn add_kind(&mut self, kind: Kind) -> u32 {
        self.kinds.push(kind);
        self.unlinked.push(Vec::new());
        number(self.kinds.len() - 1)
    }

    /// Adds a failure of a kind that was added before. One that was merged into another is in no figure.
    pub fn add(&mut self, kind: u32, times: Times, link: Link) {
        if self.kinds[kind as usize].state == State::Merged {
            return;
        }
        let Times { started_at, finished_at, .. } = times;
        let facts =
            FailureFacts { started_at, finished_at, restored_ns: times.restored().unwrap_or_default() };
        match link {
            Link::Automatic(created_at) => self.unlinked[kind as usize].push((facts, created_at)),
            Link::Named(linked) => self.named.push((kind, facts, linked)),
        }
    }

    /// Links them to these deployments: which of those failed, when they were recovered from, and which mended
    /// something. `link_window`: a deployment that ended so long before a failure can be its cause.
    pub fn link(self, deployed: Deployed, link_window: Duration) -> Basis {
        let mut linking =
            Linking { basis: Basis { deployed, link_window, ..Basis::default() }, linked: Vec::new() };
        for kind in &self.kinds {
            linking.basis.add_kind(kind);
        }
        // A kind at a time, and in order: what is looked for lies near what was found last.
        for (kind, mut failures) in self.unlinked.into_iter().enumerate() {
            let kind = number(kind);
            failures.sort_unstable_by_key(|(facts, _)| facts.started_at);
            linking.basis.failures[kind as usize].reserve_exact(failures.len());
            for (facts, created_at) in failures {
                let linked = linking.basis.cause(kind, created_at, link_window);
                linking.settle(kind, facts, linked);
            }
        }
        for (kind, facts, linked) in self.named {
            linking.settle(kind, facts, linked);
        }
        linking.with_recoveries()
    }
}

/// Brings failures and deployments together.
struct Linking {
    basis: Basis,
    /// The failures of deployments that failed: when they began, their kind, and their place in it.
    linked: Vec<(Place, Timestamp, u32, u32)>,
}

impl Linking {
    /// Notes what a failure has to do with deployments.
    fn settle(&mut self, kind: u32, facts: FailureFacts, linked: Option<Place>) {
        let basis = &mut self.basis;
        let of_kind = &basis.kinds[kind as usize];
        let env = of_kind.env;
        if of_kind.counts() {
            if let Some(remediation) = basis.remediation(kind, &facts, linked) {
                basis.deployed.mended(remediation);
            }
            // Somebody may name a deployment to another env. Each env is compared with itself.
            let linked = linked.filter(|place| basis.deployed.kinds[place.kind as usize].env == env);
            let nth = number(basis.failures[kind as usize].len());
            self.linked.extend(linked.map(|linked| (linked, facts.started_at, kind, nth)));
        }
        basis.failures[kind as usize].push(facts);
    }

    /// Notes how each deployment that failed was recovered from, once all failures are settled.
    fn with_recoveries(self) -> Basis {
        let Self { mut basis, mut linked } = self;
        linked.sort_unstable();
        for of_one in linked.chunk_by(|(place, ..), (other, ..)| place == other) {
            let failures = of_one.iter().map(|(_, _, kind, nth)| {
                let has_good_times = basis.kinds[*kind as usize].has_good_times;
                (&basis.failures[*kind as usize][*nth as usize], has_good_times)
            });
            let stretch =
                failures.fold(None::<Stretch>, |stretch, (failure, has_good_times)| match stretch {
                    None => Some(Stretch::of(failure, has_good_times)),
                    Some(mut stretch) => {
                        stretch.extend(failure, has_good_times);
                        Some(stretch)
                    }
                });
            if let (Some((deployment, ..)), Some(stretch)) = (of_one.first(), stretch) {
                basis.deployed.failed(*deployment, &stretch);
            }
        }
        basis
    }
}

impl Basis {
    /// Number of failures and deployments.
    pub fn len(&self) -> usize {
        self.failures.iter().map(Vec::len).sum::<usize>() + self.deployed.len()
    }

    /// `true` if there is no failure and no deployment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The longest time from the end of a deployment to a failure that it can have caused.
    pub fn link_window(&self) -> Duration {
        self.link_window
    }

    pub(super) fn names(&self) -> &Names {
        &self.deployed.names
    }

    /// Adds a kind of failures. Its own deployments are looked for here: all have to be there before.
    fn add_kind(&mut self, kind: &Kind) {
        let names = &mut self.deployed.names;
        let mut services: Vec<&String> = kind.services.iter().collect();
        services.sort_unstable();
        services.dedup();
        let services: Vec<Name> = services.into_iter().map(|service| names.number(service)).collect();
        let team = kind.team.as_deref().map(|team| names.number(team));
        let env = names.number(&kind.env);
        let severity = kind.severity.as_deref().map(|severity| names.number(severity));
        let deployed = &self.deployed;
        let own = if services.is_empty() {
            team.map_or_else(Vec::new, |team| deployed.of_team(env, team).to_vec())
        } else {
            services.iter().flat_map(|service| deployed.of_service(env, *service)).copied().collect()
        };
        let Kind { state, has_good_times, .. } = *kind;
        self.kinds.push(FailureKind { state, services, team, env, severity, has_good_times, own });
        self.failures.push(Vec::new());
    }

    /// The latest deployment that can have caused a failure which was created then.
    fn cause(&self, kind: u32, created_at: Timestamp, link_window: Duration) -> Option<Place> {
        let earliest_end = created_at.saturating_sub(link_window);
        let own = self.kinds[kind as usize].own.iter();
        let latest = |made: u32| self.deployed.lines[made as usize].latest(created_at, earliest_end);
        self.deployed.latest(own.map(|made| (*made, latest(*made))))
    }

    /// The last deployment of a failure's services and env that started while it was open. What caused it is none.
    fn remediation(&self, kind: u32, failure: &FailureFacts, cause: Option<Place>) -> Option<Place> {
        let kind = &self.kinds[kind as usize];
        if kind.services.is_empty() {
            return None;
        }
        let FailureFacts { started_at, finished_at, .. } = *failure;
        let last = |made: u32| {
            let except = cause.and_then(|cause| cause.among(made));
            self.deployed.lines[made as usize].last_within(started_at, finished_at, except)
        };
        self.deployed.latest(kind.own.iter().map(|made| (*made, last(*made))))
    }
}
