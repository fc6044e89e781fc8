//! The deployments that figures are computed from, and which of them a failure may have to do with.

use std::collections::HashMap;

use super::consequence::Recovery;
use super::names::{Name, Names, number};
use crate::domain::timestamp::Timestamp;

/// Deployments, by their start and id: a greater number is a later deployment.
#[derive(Debug, Default)]
pub struct Deployed {
    pub(super) names: Names,
    pub(super) kinds: Vec<DeploymentKind>,
    numbers: HashMap<DeploymentKind, u32>,
    pub(super) all: Vec<DeploymentFacts>,
    /// Of each kind, until every failure has found those that it has to do with.
    pub(super) lines: Vec<Line>,
}

/// What deployments have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DeploymentKind {
    pub(super) service: Name,
    pub(super) team: Option<Name>,
    pub(super) env: Name,
}

/// What else figures need of a deployment.
#[derive(Debug)]
pub(super) struct DeploymentFacts {
    pub(super) finished_at: Timestamp,
    pub(super) kind: u32,
    pub(super) is_remediation: bool,
    /// `None`: it did not fail.
    pub(super) recovery: Option<Recovery>,
}

impl Deployed {
    /// Adds a deployment. They have to come by start and id.
    pub fn add(
        &mut self,
        (service, team, env): (&str, Option<&str>, &str),
        started_at: Timestamp,
        finished_at: Timestamp,
    ) {
        let kind = DeploymentKind {
            service: self.names.number(service),
            team: team.map(|team| self.names.number(team)),
            env: self.names.number(env),
        };
        let kind = *self.numbers.entry(kind).or_insert_with(|| {
            self.kinds.push(kind);
            self.lines.push(Line::default());
            number(self.kinds.len() - 1)
        });
        self.lines[kind as usize].add(number(self.all.len()), started_at, finished_at);
        self.all.push(DeploymentFacts { finished_at, kind, is_remediation: false, recovery: None });
    }

    /// The env of the one of this number.
    pub(super) fn env(&self, number: u32) -> Name {
        self.kinds[self.all[number as usize].kind as usize].env
    }

    /// How many there are: the number of the next one.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// Deployments of one kind, by start and id.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<Stop>);

#[derive(Debug)]
struct Stop {
    started_at: Timestamp,
    finished_at: Timestamp,
    /// The deployment's.
    number: u32,
    /// The nearest before it in the line that ended later than it; its own place: there is none.
    outlasted_by: u32,
}

impl Line {
    fn add(&mut self, number: u32, started_at: Timestamp, finished_at: Timestamp) {
        let place = super::names::number(self.0.len());
        let mut before = place.checked_sub(1);
        while let Some(stop) = before.map(|place| &self.0[place as usize])
            && stop.finished_at <= finished_at
        {
            before = before.filter(|place| stop.outlasted_by != *place).map(|_| stop.outlasted_by);
        }
        self.0.push(Stop { started_at, finished_at, number, outlasted_by: before.unwrap_or(place) });
    }

    /// The latest that had started by then and did not end earlier than that.
    pub(super) fn latest(&self, started_by: Timestamp, earliest_end: Timestamp) -> Option<u32> {
        let mut place = self.0.partition_point(|stop| stop.started_at <= started_by).checked_sub(1)?;
        loop {
            let stop = &self.0[place];
            if stop.finished_at >= earliest_end {
                return Some(stop.number);
            }
            // What lies between ended no later than this one.
            let before = stop.outlasted_by as usize;
            if before == place {
                return None;
            }
            place = before;
        }
    }

    /// The last that started from then on, and before an end where there is one; not this one.
    pub(super) fn last_within(
        &self,
        since: Timestamp,
        end: Option<Timestamp>,
        except: Option<u32>,
    ) -> Option<u32> {
        let begun = end.map_or(self.0.len(), |end| self.0.partition_point(|stop| stop.started_at < end));
        let latest_first = self.0[..begun].iter().rev().take_while(|stop| stop.started_at >= since);
        latest_first.map(|stop| stop.number).find(|number| Some(*number) != except)
    }
}
