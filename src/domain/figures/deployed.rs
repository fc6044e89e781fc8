//! The deployments that figures are computed from, and which of them a failure may have to do with.

use foldhash::HashMap;

use super::consequence::{Recovery, Stretch};
use super::names::{Name, Names, number as to_number};
use crate::domain::timestamp::Timestamp;

/// Deployments, gathered by what they have in common.
#[derive(Debug, Default)]
pub struct Deployed {
    pub(super) names: Names,
    pub(super) kinds: Vec<DeploymentKind>,
    numbers: HashMap<DeploymentKind, u32>,
    /// The kinds of each env and service. Lookups keep the cost linear where there are thousands of envs.
    by_service: HashMap<(Name, Name), Vec<u32>>,
    /// The kinds of each env and team.
    by_team: HashMap<(Name, Name), Vec<u32>>,
    /// Of each kind.
    pub(super) lines: Vec<Line>,
    len: u32,
}

/// Properties that deployments share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DeploymentKind {
    pub(super) service: Name,
    pub(super) team: Option<Name>,
    pub(super) env: Name,
}

/// One of the deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(super) kind: u32,
    in_line: u32,
}

impl Deployed {
    /// Adds a deployment. They have to come by start and id.
    pub fn add(
        &mut self,
        (service, team, env): (&str, Option<&str>, &str),
        started_at: Timestamp,
        finished_at: Timestamp,
    ) -> Place {
        let kind = DeploymentKind {
            service: self.names.number(service),
            team: team.map(|team| self.names.number(team)),
            env: self.names.number(env),
        };
        let kind = match self.numbers.get(&kind) {
            Some(number) => *number,
            None => self.add_kind(kind),
        };
        self.len += 1;
        Place { kind, in_line: self.lines[kind as usize].add(self.len, started_at, finished_at) }
    }

    fn add_kind(&mut self, kind: DeploymentKind) -> u32 {
        let number = to_number(self.kinds.len());
        let DeploymentKind { service, team, env } = kind;
        self.by_service.entry((env, service)).or_default().push(number);
        if let Some(team) = team {
            self.by_team.entry((env, team)).or_default().push(number);
        }
        self.kinds.push(kind);
        self.lines.push(Line::default());
        self.numbers.insert(kind, number);
        number
    }

    /// The kinds of deployment of a service to an env.
    pub(super) fn of_service(&self, env: Name, service: Name) -> &[u32] {
        self.by_service.get(&(env, service)).map_or(&[], Vec::as_slice)
    }

    /// The kinds of deployment of a team to an env.
    pub(super) fn of_team(&self, env: Name, team: Name) -> &[u32] {
        self.by_team.get(&(env, team)).map_or(&[], Vec::as_slice)
    }

    /// Number of deployments.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Of what several lines have found, the latest.
    pub(super) fn latest(&self, found: impl Iterator<Item = (u32, Option<u32>)>) -> Option<Place> {
        let found = found.filter_map(|(kind, in_line)| Some(Place { kind, in_line: in_line? }));
        found.max_by_key(|place| self.lines[place.kind as usize].stops[place.in_line as usize].number)
    }

    /// Notes that it mended a failure.
    pub(super) fn mended(&mut self, Place { kind, in_line }: Place) {
        self.lines[kind as usize].became[in_line as usize].is_remediation = true;
    }

    /// Notes that it failed; `stretch`: the first of its failures.
    pub(super) fn failed(&mut self, Place { kind, in_line }: Place, stretch: &Stretch) {
        let line = &mut self.lines[kind as usize];
        let recovery = stretch.recovery(line.stops[in_line as usize].finished_at);
        line.became[in_line as usize].recovery = Some(recovery);
    }
}

/// Deployments of one kind, by start and id, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Line {
    stops: Vec<Stop>,
    became: Vec<Became>,
}

/// Outcome of a deployment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Became {
    /// `true` if it remedied a failure.
    pub(super) is_remediation: bool,
    /// Recovery from it, if it failed.
    pub(super) recovery: Option<Recovery>,
}

#[derive(Debug)]
struct Stop {
    started_at: Timestamp,
    finished_at: Timestamp,
    /// Greater than that of every earlier deployment, of whatever kind.
    number: u32,
    /// The nearest before it in the line that ended later than it; its own place: there is none.
    outlasted_by: u32,
}

impl Line {
    fn add(&mut self, number: u32, started_at: Timestamp, finished_at: Timestamp) -> u32 {
        let place = to_number(self.stops.len());
        let mut before = place.checked_sub(1);
        while let Some(stop) = before.map(|place| &self.stops[place as usize])
            && stop.finished_at <= finished_at
        {
            before = before.filter(|place| stop.outlasted_by != *place).map(|_| stop.outlasted_by);
        }
        self.stops.push(Stop { started_at, finished_at, number, outlasted_by: before.unwrap_or(place) });
        self.became.push(Became::default());
        place
    }

    /// The latest that had started by then and did not end earlier than that.
    pub(super) fn latest(&self, started_by: Timestamp, earliest_end: Timestamp) -> Option<u32> {
        let begun = self.stops.partition_point(|stop| stop.started_at <= started_by);
        let mut place = to_number(begun).checked_sub(1)?;
        loop {
            let stop = &self.stops[place as usize];
            if stop.finished_at >= earliest_end {
                return Some(place);
            }
            // What lies between ended no later than this one.
            if stop.outlasted_by == place {
                return None;
            }
            place = stop.outlasted_by;
        }
    }

    /// The last that started from then on, and before an end where there is one; not this one.
    pub(super) fn last_within(
        &self,
        since: Timestamp,
        end: Option<Timestamp>,
        except: Option<u32>,
    ) -> Option<u32> {
        let begun =
            end.map_or(self.stops.len(), |end| self.stops.partition_point(|stop| stop.started_at < end));
        let latest_first = self.stops[..begun].iter().enumerate().rev();
        let within = latest_first.take_while(|(_, stop)| stop.started_at >= since);
        within.map(|(place, _)| to_number(place)).find(|place| Some(*place) != except)
    }

    /// End and outcome of each deployment.
    pub(super) fn ends(&self) -> impl Iterator<Item = (Timestamp, Became)> {
        self.stops.iter().map(|stop| stop.finished_at).zip(self.became.iter().copied())
    }
}

impl Place {
    /// Its place among those of a kind, if it is of that.
    pub(super) fn among(self, kind: u32) -> Option<u32> {
        (self.kind == kind).then_some(self.in_line)
    }
}
