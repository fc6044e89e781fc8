//! Evaluation of an incident's history under a policy.

use std::collections::BTreeMap;
use std::time::Duration;

use super::attribution::{Attribution, attribute};
use super::event::{Priority, Reference, Snapshot};
use super::failure::{Details, Evaluated, Failure, FailureState, Flag, seconds};
use super::history::{History, OpenPeriod};
use super::id::{FailureId, IncidentId};
use super::merge::{Group, MergeEffect, Merges};
use super::open_period::pauses;
use super::policy::{Policy, Reopened, Start, WhichService};
use super::rule::{RuleInput, RuleVerdict, Ruling};
use super::text_limits::fitting_name;
use super::timestamp::Timestamp;

/// Evaluates the incidents of a merge group. Incidents that no event shows are left out.
pub fn evaluate_group(group: &Group, policy: &Policy) -> BTreeMap<IncidentId, Evaluated> {
    let merges = Merges::of(group);
    group
        .keys()
        .filter_map(|incident| {
            Some((incident.clone(), IncidentEvaluation::of(incident, &merges, policy)?.evaluate(policy)))
        })
        .collect()
}

/// Evaluates an incident without merges. `None` until an event shows the incident.
pub fn evaluate_alone(incident: &IncidentId, history: &History, policy: &Policy) -> Option<Evaluated> {
    Some(
        IncidentEvaluation::new(incident, history, MergeEffect::NotMerged, BTreeMap::new(), policy)?
            .evaluate(policy),
    )
}

/// Facts that decide the failure of one incident.
#[derive(Debug)]
pub struct IncidentEvaluation<'a> {
    /// The incident.
    pub incident: &'a IncidentId,
    /// Facts from its events.
    pub history: &'a History,
    /// Effect of its own merge on the incident.
    pub merge_effect: MergeEffect<'a>,
    /// Incidents that were merged into it.
    pub sources: Vec<&'a IncidentId>,
    /// Histories of the incidents in `sources` that no rule ignores.
    pub counting_merged: Vec<&'a History>,
    /// Start without merges, and the source of that time.
    pub own_start: (Timestamp, StartBasis),
    /// The merged incident that moves the start to an earlier time: its id, its start, and the source of that time.
    /// `None` if no incident in `counting_merged` began before this one.
    pub earliest_merged: Option<(&'a IncidentId, Timestamp, StartBasis)>,
    /// Ruling on this incident alone.
    pub own_ruling: Ruling<'a>,
    /// Ruling on this incident and `sources` together, and the incident that decided it.
    pub ruling: (Ruling<'a>, &'a IncidentId),
    /// Services, team and env that it counts for.
    pub attribution: Attribution,
    /// Periods in which it was open, in order.
    pub open_periods: Vec<OpenPeriod>,
}

/// Source of the start (rule 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartBasis {
    /// PagerDuty's `created_at`.
    Created,
    /// The trigger.
    Triggered,
    /// The first acknowledgement, before the first resolve.
    Acknowledged,
    /// The first event, because neither the creation time nor the trigger is known.
    FirstSeen,
}

impl<'a> IncidentEvaluation<'a> {
    /// Collects the facts of an incident in its merge group. `None` until an event shows the incident.
    pub fn of(incident: &IncidentId, merges: &Merges<'a>, policy: &'a Policy) -> Option<Self> {
        let (incident, history) = merges.get(incident)?;
        Self::new(incident, history, merges.merge_effect(incident), merges.sources(incident), policy)
    }

    fn new(
        incident: &'a IncidentId,
        history: &'a History,
        merge_effect: MergeEffect<'a>,
        sources: BTreeMap<&'a IncidentId, &'a History>,
        policy: &'a Policy,
    ) -> Option<Self> {
        let own_start = start(history, policy.start)?;
        let attribution = attribute(policy, service(history, policy), team(history));
        let own_ruling = apply_rules(policy, history, &attribution);
        let mut ruling = (own_ruling, incident);
        let mut earliest_merged: Option<(&IncidentId, Timestamp, StartBasis)> = None;
        let mut counting_merged = Vec::new();
        for (source, history) in &sources {
            let attribution = attribute(policy, service(history, policy), team(history));
            let source_ruling = apply_rules(policy, history, &attribution);
            if source_ruling.outweighs(ruling.0) {
                ruling = (source_ruling, source);
            }
            if source_ruling.is_ignored() {
                continue;
            }
            counting_merged.push(*history);
            if let Some((at, because)) = start(history, policy.start)
                && at < earliest_merged.map_or(own_start.0, |(_, earliest, _)| earliest)
            {
                earliest_merged = Some((source, at, because));
            }
        }
        Some(Self {
            incident,
            history,
            merge_effect,
            sources: sources.into_keys().collect(),
            counting_merged,
            own_start,
            earliest_merged,
            own_ruling,
            ruling,
            attribution,
            open_periods: history.open_periods(),
        })
    }

    /// Start as `failure.start = "created"` would give it. Links to deployments use it for every value of
    /// `failure.start`.
    fn created_at(&self, policy: &Policy) -> Timestamp {
        if policy.start == Start::Created {
            return self.start().0;
        }
        let created = |history| start(history, Start::Created).map(|(at, _)| at);
        self.counting_merged
            .iter()
            .filter_map(|history| created(*history))
            .chain(created(self.history))
            .min()
            .unwrap_or(self.own_start.0)
    }

    /// Start of the failure, and its source.
    pub fn start(&self) -> (Timestamp, StartBasis) {
        self.earliest_merged.map_or(self.own_start, |(_, at, because)| (at, because))
    }

    /// Time of the resolve that ended it, even if it is before the start.
    pub fn resolved_at(&self) -> Option<Timestamp> {
        self.open_periods.last().and_then(|open_period| open_period.resolved_at)
    }

    /// `true` if the resolve before a reopen never arrived. Then the length of the open period before the reopen is
    /// not known.
    fn lacks_a_resolve(&self) -> bool {
        self.open_periods.iter().rev().skip(1).any(|open_period| open_period.resolved_at.is_none())
    }

    /// `true` if the incident was reopened at an unknown time. Then the length of that open period is not known.
    fn lacks_a_reopen(&self) -> bool {
        self.open_periods.iter().any(|open_period| open_period.is_start_unknown)
    }

    /// `true` if it was merged into another incident.
    pub fn is_merged(&self) -> bool {
        matches!(self.merge_effect, MergeEffect::Into(_) | MergeEffect::IntoUnseen(_))
    }

    /// End of the failure. A resolve before the start is moved to the start.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.resolved_at().map(|resolved_at| resolved_at.max(self.start().0))
    }

    /// Verdict of the rules. A merge into another incident is not considered.
    pub fn verdict(&self, policy: &Policy) -> RuleVerdict<'a> {
        let (started_at, because) = self.start();
        let is_known =
            because != StartBasis::FirstSeen && self.resolved_at().is_some_and(|end| end >= started_at);
        RuleVerdict::of(
            self.ruling.0,
            started_at,
            self.finished_at().filter(|_| is_known),
            policy.min_duration,
        )
    }

    /// Builds the failure and its details.
    pub fn evaluate(&self, policy: &Policy) -> Evaluated {
        let (started_at, _) = self.start();
        let finished_at = self.finished_at();
        let active_nanos = active_nanos(&self.open_periods, started_at);
        let time_to_restore_nanos = match policy.reopened {
            Reopened::WallClock => finished_at.map(|end| end.nanos_since(started_at)),
            Reopened::ActiveTime => active_nanos,
        };
        // A merged incident was not restored.
        let time_to_restore_nanos = time_to_restore_nanos.filter(|_| !self.is_merged());
        let priority = priority(self.history);
        let history = self.history;
        let verdict = self.verdict(policy);
        let failure = Failure {
            id: FailureId::of_incident(self.incident),
            source: self.incident.source().clone(),
            incident: Some(self.incident.to_string()),
            number: history.latest(|facts| facts.number.as_ref()).copied(),
            title: history.latest(|facts| facts.title.as_ref()).cloned(),
            url: history.latest(|facts| facts.url.as_ref()).cloned(),
            state: match (verdict, finished_at) {
                _ if self.is_merged() => FailureState::Merged,
                (RuleVerdict::Counts, Some(_)) => FailureState::Completed,
                (RuleVerdict::Counts, None) => FailureState::Open,
                _ => FailureState::Ignored,
            },
            reason: verdict.reason().filter(|_| !self.is_merged()).map(str::to_owned),
            started_at,
            finished_at,
            time_to_restore_seconds: time_to_restore_nanos.map(seconds),
            active_seconds: active_nanos.map(seconds),
            acknowledged_at: history.acknowledged_at(),
            reopened: self.open_periods.len() - 1,
            merged: self.sources.iter().map(ToString::to_string).collect(),
            merged_into: match self.merge_effect {
                MergeEffect::Into(target) | MergeEffect::IntoUnseen(Some(target)) => Some(target.to_string()),
                _ => None,
            },
            services: self.attribution.services.clone(),
            team: self.attribution.team.clone(),
            env: self.attribution.env.clone(),
            severity: priority.map(|name| match policy.severity_of(name) {
                Some(severity) => severity.clone(),
                None => fitting_name(name).into_owned(),
            }),
            priority: priority.cloned(),
            urgency: history.latest(|facts| facts.urgency.as_ref()).cloned(),
            attribution: self.attribution.step.to_owned(),
            flags: self.flags(),
            deployment: None,
            deployment_version: None,
        };
        let restored_after = time_to_restore_nanos.and_then(|nanos| u64::try_from(nanos).ok());
        let restored_at = restored_after.map(|nanos| started_at.saturating_add(Duration::from_nanos(nanos)));
        let details = Details {
            tags: self.attribution.tags.clone(),
            repository_url: self.attribution.repository_url.clone(),
            pagerduty_service: service(history, policy).and_then(|service| service.name.clone()),
            created_at: Some(self.created_at(policy)).filter(|created_at| *created_at != started_at),
            named_deployments: history.named_deployments().map_or_else(Vec::new, |(names, _)| names.to_vec()),
            restored_at: restored_at.filter(|restored_at| Some(*restored_at) != finished_at),
            pauses: pauses(&self.open_periods),
            ..Details::default()
        };
        Evaluated { failure, details }
    }

    fn flags(&self) -> Vec<Flag> {
        let (started_at, because) = self.start();
        let flags = [
            (because == StartBasis::FirstSeen || self.lacks_a_resolve() || self.lacks_a_reopen())
                .then_some(Flag::Approximate),
            self.resolved_at().is_some_and(|end| end < started_at).then_some(Flag::EndBeforeStart),
            self.history.in_the_future().then_some(Flag::InTheFuture),
            matches!(self.merge_effect, MergeEffect::IntoUnseen(_)).then_some(Flag::MergeTargetUnseen),
            (self.merge_effect == MergeEffect::FirstOfCycle).then_some(Flag::MergeCycle),
            self.history.is_deleted().then_some(Flag::Deleted),
        ];
        flags.into_iter().flatten().collect()
    }
}

/// Rule 4: the start, and the source of that time.
fn start(history: &History, start: Start) -> Option<(Timestamp, StartBasis)> {
    let created = || history.created_at().map(|at| (at, StartBasis::Created));
    let triggered = || history.triggered_at().map(|at| (at, StartBasis::Triggered));
    let chosen = match start {
        Start::Created => None,
        Start::Triggered => triggered(),
        Start::Acknowledged => {
            history.acknowledged_before_first_end().map(|at| (at, StartBasis::Acknowledged))
        }
    };
    let first_seen = || history.first_seen_at().map(|at| (at, StartBasis::FirstSeen));
    chosen.or_else(created).or_else(triggered).or_else(first_seen)
}

/// The service that counts, by `failure.service`.
fn service<'a>(history: &'a History, policy: &Policy) -> Option<&'a Reference> {
    match policy.service {
        WhichService::Last => history.latest(|facts| facts.service.as_ref()),
        WhichService::First => history.earliest(|facts| facts.service.as_ref()),
    }
}

/// The team that counts: the first of the incident's teams.
fn team(history: &History) -> Option<&Reference> {
    history.latest(|facts| facts.teams.as_ref()).and_then(|teams| teams.first())
}

/// Rule 10: the last priority, unless it was removed.
fn priority(history: &History) -> Option<&String> {
    match history.latest(|facts| facts.priority.as_ref())? {
        Priority::Named(name) => Some(name),
        Priority::Erased => None,
    }
}

/// Rule 11. Without rules, the traits are not collected.
fn apply_rules<'a>(policy: &'a Policy, history: &History, attribution: &Attribution) -> Ruling<'a> {
    if policy.rules.is_empty() {
        return Ruling::NoRule;
    }
    Ruling::of(&policy.rules, &traits(history, attribution, policy))
}

fn traits<'a>(history: &'a History, attribution: &'a Attribution, policy: &Policy) -> RuleInput<'a> {
    let names = |reference: Option<&'a Reference>| {
        reference.into_iter().flat_map(|reference| reference.id.iter().chain(&reference.name))
    };
    let latest = |fact: fn(&Snapshot) -> Option<&String>| history.latest(fact).map(String::as_str);
    let services = names(service(history, policy)).chain(&attribution.services);
    let teams = names(team(history)).chain(&attribution.team);
    RuleInput {
        urgency: latest(|facts| facts.urgency.as_ref()),
        priority: priority(history).map(String::as_str),
        services: services.map(String::as_str).collect(),
        teams: teams.map(String::as_str).collect(),
        title: latest(|facts| facts.title.as_ref()),
        incident_type: latest(|facts| facts.incident_type.as_ref()),
    }
}

/// Sum of the open periods in nanoseconds. A negative period counts as zero. `None` while the last period is open, or
/// if the resolve of a period never arrived, or if the time of a reopen is not known.
fn active_nanos(open_periods: &[OpenPeriod], started_at: Timestamp) -> Option<i64> {
    open_periods.iter().try_fold(0_i64, |sum, open_period| {
        if open_period.is_start_unknown {
            return None;
        }
        let from = open_period.reopened_at.unwrap_or(started_at);
        Some(sum.saturating_add(open_period.resolved_at?.nanos_since(from).max(0)))
    })
}

#[cfg(test)]
mod tests;
