//! Input of the figures: a few numbers for each failure and deployment, and the links between them.

use std::num::NonZeroI64;

use super::Grouping;
use super::dataset_failure::{CauseFound, DatasetFailure};
use super::deployment_index::DeploymentIndex;
use super::deployment_ref::DeploymentRef;
use super::durations;
use super::names::{NameId, Names, to_u32};
use super::recovery::FailureRun;
use crate::domain::failure::{Failure, FailureState};
use crate::domain::timestamp::Timestamp;

/// Properties that the failures of one kind share. There are far fewer kinds than failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureTraits {
    /// State. It decides if they count.
    pub state: FailureState,
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

impl From<&Failure> for FailureTraits {
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
pub struct FailureTimes {
    /// Start of the failure.
    pub started_at: Timestamp,
    /// End of the failure.
    pub finished_at: Option<Timestamp>,
    /// Time to restore in nanoseconds, in whole microseconds, if it differs from the time from start to end.
    pub restore_ns: Option<i64>,
}

impl FailureTimes {
    /// Times of a failure.
    pub fn of(failure: &Failure) -> Self {
        let Failure { started_at, finished_at, .. } = *failure;
        let whole = Self { started_at, finished_at, restore_ns: None };
        let restore_ns = failure.time_to_restore_seconds.map(durations::nanos);
        Self { restore_ns: restore_ns.filter(|nanos| Some(*nanos) != whole.restored()), ..whole }
    }

    /// Time to restore in nanoseconds. `None`: the failure has not ended.
    pub fn restored(self) -> Option<i64> {
        let from_start_to_end = || Some(self.finished_at?.nanos_since(self.started_at) / 1_000 * 1_000);
        self.restore_ns.or_else(from_start_to_end)
    }
}

/// The deployments that a failure is linked to, by their keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct LinkedKeys {
    /// The one that caused it.
    pub cause: Option<NonZeroI64>,
    /// `true` if somebody named the cause. `false` if it was found by time.
    pub is_named: bool,
    /// The one that fixed it.
    pub remediation: Option<NonZeroI64>,
}

/// A kind of failures, with numbers for the names.
#[derive(Debug)]
pub(super) struct FailureKind {
    pub(super) state: FailureState,
    /// Services without duplicates, sorted by name.
    pub(super) services: Vec<NameId>,
    pub(super) team: Option<NameId>,
    pub(super) env: NameId,
    pub(super) severity: Option<NameId>,
    pub(super) has_good_times: bool,
    /// The kinds of deployments of these services (or of the team, if there is no service) to this env.
    pub(super) own: Vec<u32>,
}

impl FailureKind {
    /// `true` if they count: neither ignored nor merged into another.
    pub(super) fn counts(&self) -> bool {
        matches!(self.state, FailureState::Open | FailureState::Completed)
    }

    /// `true` if they have not ended.
    pub(super) fn is_open(&self) -> bool {
        self.state == FailureState::Open
    }

    /// The rows that they are in.
    pub(super) fn keys(&self, by: Grouping) -> Vec<Option<NameId>> {
        match by {
            Grouping::Service => self.services.iter().copied().map(Some).collect(),
            Grouping::Team => self.team.map(Some).into_iter().collect(),
            Grouping::Env => vec![Some(self.env)],
            Grouping::Severity => vec![self.severity],
            Grouping::None => vec![None],
        }
    }
}

/// Collects failures by kind, until all deployments are known.
#[derive(Debug, Default)]
pub struct DatasetBuilder {
    kinds: Vec<FailureTraits>,
    /// The failures of each kind.
    failures: Vec<Vec<DatasetFailure>>,
    links: Vec<KeyedLinks>,
}

/// The deployments that one failure is linked to, by their keys.
#[derive(Debug)]
struct KeyedLinks {
    failure: FailureRef,
    cause: Option<NonZeroI64>,
    remediation: Option<NonZeroI64>,
}

/// Place of a failure: its kind, and its index among the failures of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct FailureRef {
    kind: u32,
    index: u32,
}

/// A failure that a deployment caused. Sorted, those of one deployment are together, in the order of their starts.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CausedFailure {
    cause: DeploymentRef,
    started_at: Timestamp,
    failure: FailureRef,
}

/// Input of the figures.
#[derive(Debug, Default)]
pub struct Dataset {
    pub(super) deployment_index: DeploymentIndex,
    pub(super) kinds: Vec<FailureKind>,
    /// The failures of each kind, not sorted.
    pub(super) failures: Vec<Vec<DatasetFailure>>,
}

impl DatasetBuilder {
    /// Adds a kind of failures, and returns its number.
    pub fn add_kind(&mut self, kind: FailureTraits) -> u32 {
        self.kinds.push(kind);
        self.failures.push(Vec::new());
        to_u32(self.kinds.len() - 1)
    }

    /// Adds a failure of a kind that was added before. A merged failure is left out: it is in no figure.
    pub fn add(&mut self, kind: u32, times: FailureTimes, linked: LinkedKeys) {
        let FailureTraits { state, .. } = self.kinds[kind as usize];
        if state == FailureState::Merged {
            return;
        }
        let LinkedKeys { cause, is_named, remediation } = linked;
        let cause_found = match (cause, is_named) {
            (None, _) => CauseFound::Not,
            (Some(_), true) => CauseFound::ByName,
            (Some(_), false) => CauseFound::ByTime,
        };
        let failures = &mut self.failures[kind as usize];
        if state.counts() && (cause.is_some() || remediation.is_some()) {
            let failure = FailureRef { kind, index: to_u32(failures.len()) };
            self.links.push(KeyedLinks { failure, cause, remediation });
        }
        let restored_ns = times.restored().unwrap_or_default();
        failures.push(DatasetFailure::new(times.started_at, times.finished_at, restored_ns, cause_found));
    }

    /// Combines the failures with the deployments: finds the deployments that failed, the recovery from each, and the
    /// remediations.
    pub fn with(self, deployment_index: DeploymentIndex) -> Dataset {
        let Self { kinds, failures, links } = self;
        let mut dataset = Dataset { deployment_index, kinds: Vec::with_capacity(kinds.len()), failures };
        for kind in &kinds {
            dataset.add_kind(kind);
        }
        let caused = links.into_iter().filter_map(|links| dataset.link(&links)).collect();
        dataset.add_recoveries(caused);
        dataset
    }
}

impl Dataset {
    /// Number of failures and deployments.
    pub fn len(&self) -> usize {
        self.failures.iter().map(Vec::len).sum::<usize>() + self.deployment_index.len()
    }

    /// `true` if there is no failure and no deployment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn names(&self) -> &Names {
        &self.deployment_index.names
    }

    /// Adds a kind of failures. All deployments must be known before, because the kind's own deployments are found
    /// here.
    fn add_kind(&mut self, kind: &FailureTraits) {
        let names = &mut self.deployment_index.names;
        let mut services: Vec<&String> = kind.services.iter().collect();
        services.sort_unstable();
        services.dedup();
        let services: Vec<NameId> = services.into_iter().map(|service| names.number(service)).collect();
        let team = kind.team.as_deref().map(|team| names.number(team));
        let env = names.number(&kind.env);
        let severity = kind.severity.as_deref().map(|severity| names.number(severity));
        let deployment_index = &self.deployment_index;
        let own = if services.is_empty() {
            team.map_or_else(Vec::new, |team| deployment_index.of_team(env, team).to_vec())
        } else {
            services.iter().flat_map(|service| deployment_index.of_service(env, *service)).copied().collect()
        };
        let FailureTraits { state, has_good_times, .. } = *kind;
        self.kinds.push(FailureKind { state, services, team, env, severity, has_good_times, own });
    }

    /// Links a failure to the deployments of the dataset. Returns the failure if one of them caused it.
    fn link(&mut self, links: &KeyedLinks) -> Option<CausedFailure> {
        let KeyedLinks { failure, cause, remediation } = *links;
        let place = |key: Option<NonZeroI64>| self.deployment_index.place(key?.get());
        let (cause, remediation) = (place(cause), place(remediation));
        if let Some(remediation) = remediation {
            self.deployment_index.mark_as_remediation(remediation);
        }
        // A failure counts against deployments to its own env only.
        let env = self.kinds[failure.kind as usize].env;
        let cause = cause.filter(|cause| self.deployment_index.kinds[cause.kind as usize].env == env)?;
        let facts = &mut self.failures[failure.kind as usize][failure.index as usize];
        facts.set_cause(cause);
        Some(CausedFailure { cause, started_at: facts.started_at, failure })
    }

    /// Adds the recovery from each deployment that failed.
    fn add_recoveries(&mut self, mut caused: Vec<CausedFailure>) {
        caused.sort_unstable();
        for of_deployment in caused.chunk_by(|one, other| one.cause == other.cause) {
            let mut failures = of_deployment.iter().map(|CausedFailure { failure, .. }| {
                let kind = &self.kinds[failure.kind as usize];
                let facts = &self.failures[failure.kind as usize][failure.index as usize];
                (facts, kind.has_good_times)
            });
            let Some((first, has_good_times)) = failures.next() else { continue };
            let mut run = FailureRun::of(first, has_good_times);
            for (failure, has_good_times) in failures {
                run.extend(failure, has_good_times);
            }
            self.deployment_index.failed(of_deployment[0].cause, &run);
        }
    }
}
