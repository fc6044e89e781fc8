//! What figures are computed from: a few numbers for each failure and deployment, and what they have to do with each
//! other.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::By;
use super::consequence::Stretch;
use super::deployed::{Deployed, Line};
use super::durations;
use super::names::{Name, Names, number};
use crate::domain::failure::{Failure, State};
use crate::domain::timestamp::Timestamp;

/// What failures have in common: there are far fewer of these than failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Whether and how they count.
    pub state: State,
    /// The services they count for.
    pub services: Vec<String>,
    /// The team.
    pub team: Option<String>,
    /// The env.
    pub env: String,
    /// The severity.
    pub severity: Option<String>,
    /// Whether their times are good enough for a statistic of durations.
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

/// When a failure was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it began.
    pub started_at: Timestamp,
    /// When it really ended.
    pub finished_at: Option<Timestamp>,
    /// Its time to restore in whole microseconds, where that is not the time from start to end.
    pub restore_ns: Option<i64>,
}

impl Times {
    /// Those of a failure.
    pub fn of(failure: &Failure) -> Self {
        let Failure { started_at, finished_at, .. } = *failure;
        let whole = Self { started_at, finished_at, restore_ns: None };
        let restore_ns = failure.time_to_restore_seconds.map(durations::nanos);
        Self { restore_ns: restore_ns.filter(|nanos| Some(*nanos) != whole.restored()), ..whole }
    }

    /// How many nanoseconds it took. `None`: it has not ended.
    fn restored(self) -> Option<i64> {
        let from_start_to_end = || Some(self.finished_at?.nanos_since(self.started_at) / 1_000 * 1_000);
        self.restore_ns.or_else(from_start_to_end)
    }
}

/// Which deployment a failure is linked to.
#[derive(Debug, Clone, Copy)]
pub enum Link {
    /// The one that is found for a failure that was created then.
    Automatic(Timestamp),
    /// The one of this number, or none, because somebody said so.
    Named(Option<u32>),
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
    has_good_times: bool,
    /// The kinds of deployment of these services, or of the team where there is no service, in this env.
    pub(super) own: Vec<u32>,
}

impl FailureKind {
    /// Whether they count: neither ignored nor merged into another.
    pub(super) fn counts(&self) -> bool {
        matches!(self.state, State::Open | State::Completed)
    }

    /// Whether they have not ended.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether they are in a statistic of durations.
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

/// What else figures need of a failure.
#[derive(Debug)]
pub(super) struct FailureFacts {
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    /// How many nanoseconds it took; of no meaning where it has not ended.
    pub(super) restored_ns: i64,
    pub(super) kind: u32,
    /// One more than the number of the deployment it is linked to.
    linked: Option<NonZeroU32>,
}

/// A failure that counts, as a stretch of them sees it.
pub(super) struct Incident {
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) has_good_times: bool,
}

/// Takes failures in, after all deployments, and finds out what they have to do with each other.
#[derive(Debug)]
pub struct Gathering {
    basis: Basis,
    link_window: Duration,
}

/// What figures are computed from.
#[derive(Debug, Default)]
pub struct Basis {
    pub(super) deployed: Deployed,
    pub(super) kinds: Vec<FailureKind>,
    pub(super) failures: Vec<FailureFacts>,
}

impl Gathering {
    /// Begins with the deployments. `link_window`: a deployment that ended so long before a failure can be its cause.
    pub fn new(deployed: Deployed, link_window: Duration) -> Self {
        Self { basis: Basis { deployed, ..Basis::default() }, link_window }
    }

    /// Adds a kind of failures, and returns its number.
    pub fn add_kind(&mut self, kind: &Kind) -> u32 {
        let names = &mut self.basis.deployed.names;
        let mut services: Vec<&String> = kind.services.iter().collect();
        services.sort_unstable();
        services.dedup();
        let services: Vec<Name> = services.into_iter().map(|service| names.number(service)).collect();
        let team = kind.team.as_deref().map(|team| names.number(team));
        let env = names.number(&kind.env);
        let severity = kind.severity.as_deref().map(|severity| names.number(severity));
        let deployments = self.basis.deployed.kinds.iter().enumerate();
        let own = deployments.filter(|(_, made)| {
            let is_own = if services.is_empty() {
                team.is_some() && made.team == team
            } else {
                services.contains(&made.service)
            };
            is_own && made.env == env
        });
        let own = own.map(|(place, _)| number(place)).collect();
        let Kind { state, has_good_times, .. } = *kind;
        self.basis.kinds.push(FailureKind { state, services, team, env, severity, has_good_times, own });
        number(self.basis.kinds.len() - 1)
    }

    /// Adds a failure of a kind that was added before. One that was merged into another is in no figure.
    pub fn add(&mut self, kind: u32, times: Times, link: Link) {
        let basis = &self.basis;
        if basis.kinds[kind as usize].state == State::Merged {
            return;
        }
        let linked = match link {
            Link::Named(linked) => linked,
            Link::Automatic(created_at) => {
                let earliest_end = created_at.saturating_sub(self.link_window);
                let own = basis.lines(kind);
                own.filter_map(|line| line.latest(created_at, earliest_end)).max()
            }
        };
        let Times { started_at, finished_at, .. } = times;
        self.basis.failures.push(FailureFacts {
            started_at,
            finished_at,
            restored_ns: times.restored().unwrap_or_default(),
            kind,
            linked: linked.and_then(|number| NonZeroU32::MIN.checked_add(number)),
        });
    }

    /// Finds out which deployments failed, when they were recovered from, and which mended something.
    pub fn done(self) -> Basis {
        let Self { mut basis, .. } = self;
        basis.failures.sort_by_key(|failure| failure.started_at);
        let (mut stretches, mut remediations) = (HashMap::<u32, Stretch>::new(), Vec::new());
        for failure in &basis.failures {
            let kind = &basis.kinds[failure.kind as usize];
            if !kind.counts() {
                continue;
            }
            remediations.extend(basis.remediation(failure));
            // Somebody may name a deployment to another env. Each env is compared with itself.
            if let Some(linked) = failure.linked_to()
                && basis.deployed.env(linked) == kind.env
            {
                let FailureFacts { started_at, finished_at, .. } = *failure;
                let incident = Incident { started_at, finished_at, has_good_times: kind.has_good_times };
                let known = stretches.entry(linked).and_modify(|stretch| stretch.extend(&incident));
                known.or_insert_with(|| Stretch::of(&incident));
            }
        }
        for remediation in remediations {
            basis.deployed.all[remediation as usize].is_remediation = true;
        }
        for (number, stretch) in stretches {
            let deployment = &mut basis.deployed.all[number as usize];
            deployment.recovery = Some(stretch.recovery(deployment.finished_at));
        }
        basis.deployed.lines = Vec::new();
        basis
    }
}

impl FailureFacts {
    fn linked_to(&self) -> Option<u32> {
        self.linked.map(|number| number.get() - 1)
    }
}

impl Basis {
    /// How many failures and deployments there are.
    pub fn len(&self) -> usize {
        self.failures.len() + self.deployed.len()
    }

    /// Whether there is nothing to compute from.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn names(&self) -> &Names {
        &self.deployed.names
    }

    /// The deployments that failures of a kind may have to do with.
    fn lines(&self, kind: u32) -> impl Iterator<Item = &Line> {
        self.kinds[kind as usize].own.iter().map(|own| &self.deployed.lines[*own as usize])
    }

    /// The last deployment of a failure's services and env that started while it was open. What caused it is none.
    fn remediation(&self, failure: &FailureFacts) -> Option<u32> {
        if self.kinds[failure.kind as usize].services.is_empty() {
            return None;
        }
        let FailureFacts { started_at, finished_at, .. } = *failure;
        let last = |line: &Line| line.last_within(started_at, finished_at, failure.linked_to());
        self.lines(failure.kind).filter_map(last).max()
    }
}
