//! The deployments that figures are computed from.

use foldhash::HashMap;

use super::by_key::DeploymentsByKey;
use super::deployment_ref::DeploymentRef;
use super::names::{NameId, Names, to_u32};
use super::recovery::{FailureRun, Recovery};
use crate::domain::timestamp::Timestamp;

/// Deployments, grouped by kind.
#[derive(Debug, Default)]
pub struct DeploymentIndex {
    pub(super) names: Names,
    pub(super) kinds: Vec<DeploymentKind>,
    /// The number of each kind by its key (`write_key_of_kind`): one lookup for a deployment, not one for each name.
    numbers: HashMap<Box<[u8]>, u32>,
    /// Buffer for the key of the deployment that is added.
    key_of_kind: Vec<u8>,
    /// The kinds of each env and service. Lookups keep the cost linear with thousands of envs.
    by_service: HashMap<(NameId, NameId), Vec<u32>>,
    /// The kinds of each env and team.
    by_team: HashMap<(NameId, NameId), Vec<u32>>,
    /// The timeline of each kind.
    pub(super) timelines: Vec<Timeline>,
    by_key: DeploymentsByKey,
}

/// Properties that the deployments of one kind share.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeploymentKind {
    pub(super) service: NameId,
    pub(super) team: Option<NameId>,
    pub(super) env: NameId,
}

impl DeploymentIndex {
    /// Adds a deployment. `key` is the key by which failures refer to it.
    pub fn add(
        &mut self,
        key: i64,
        (service, team, env): (&str, Option<&str>, &str),
        finished_at: Timestamp,
    ) {
        write_key_of_kind(&mut self.key_of_kind, (service, team, env));
        let kind = match self.numbers.get(self.key_of_kind.as_slice()) {
            Some(number) => *number,
            None => self.add_kind((service, team, env)),
        };
        let line = &mut self.timelines[kind as usize];
        self.by_key.insert(key, DeploymentRef { kind, index_in_timeline: to_u32(line.finished_at.len()) });
        line.finished_at.push(finished_at);
        line.outcomes.push(Outcome::default());
    }

    /// The deployment with this key. `None` if it did not end in the period, and is in no figure.
    pub(super) fn place(&self, key: i64) -> Option<DeploymentRef> {
        self.by_key.get(key)
    }

    /// End of a deployment.
    pub(super) fn finished_at(&self, DeploymentRef { kind, index_in_timeline }: DeploymentRef) -> Timestamp {
        self.timelines[kind as usize].finished_at[index_in_timeline as usize]
    }

    fn add_kind(&mut self, (service, team, env): (&str, Option<&str>, &str)) -> u32 {
        let number = to_u32(self.kinds.len());
        let service = self.names.number(service);
        let team = team.map(|team| self.names.number(team));
        let env = self.names.number(env);
        self.by_service.entry((env, service)).or_default().push(number);
        if let Some(team) = team {
            self.by_team.entry((env, team)).or_default().push(number);
        }
        self.kinds.push(DeploymentKind { service, team, env });
        self.timelines.push(Timeline::default());
        self.numbers.insert(self.key_of_kind.as_slice().into(), number);
        number
    }

    /// The kinds of deployment of a service to an env.
    pub(super) fn of_service(&self, env: NameId, service: NameId) -> &[u32] {
        self.by_service.get(&(env, service)).map_or(&[], Vec::as_slice)
    }

    /// The kinds of deployment of a team to an env.
    pub(super) fn of_team(&self, env: NameId, team: NameId) -> &[u32] {
        self.by_team.get(&(env, team)).map_or(&[], Vec::as_slice)
    }

    /// Number of deployments.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Records that a deployment fixed a failure.
    pub(super) fn mark_as_remediation(&mut self, DeploymentRef { kind, index_in_timeline }: DeploymentRef) {
        self.timelines[kind as usize].outcomes[index_in_timeline as usize].is_remediation = true;
    }

    /// Records that a deployment failed. `run` is the first unbroken run of its failures.
    pub(super) fn failed(
        &mut self,
        DeploymentRef { kind, index_in_timeline }: DeploymentRef,
        run: &FailureRun,
    ) {
        let line = &mut self.timelines[kind as usize];
        let recovery = run.recovery(line.finished_at[index_in_timeline as usize]);
        line.outcomes[index_in_timeline as usize].recovery = Some(recovery);
    }
}

/// Writes bytes that no other service, team and env have: each name after its length.
fn write_key_of_kind(key: &mut Vec<u8>, (service, team, env): (&str, Option<&str>, &str)) {
    key.clear();
    for name in [Some(service), team, Some(env)] {
        key.extend(name.map_or(usize::MAX, str::len).to_ne_bytes());
        key.extend(name.unwrap_or_default().as_bytes());
    }
}

/// Deployments of one kind: the end and the outcome of each.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    finished_at: Vec<Timestamp>,
    outcomes: Vec<Outcome>,
}

/// Outcome of a deployment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    /// `true` if it fixed a failure.
    pub(super) is_remediation: bool,
    /// Recovery from it, if it failed.
    pub(super) recovery: Option<Recovery>,
}

impl Timeline {
    /// End and outcome of each deployment.
    pub(super) fn ends(&self) -> impl Iterator<Item = (Timestamp, Outcome)> {
        self.finished_at.iter().copied().zip(self.outcomes.iter().copied())
    }
}
