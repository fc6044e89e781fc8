//! Rule 8: incidents that were merged into others.
//!
//! PagerDuty shows a merge only in the resolve of the merged incident. So a failure depends on the events of its own
//! incident and of all incidents merged into it, directly or through others. They form a group, and are evaluated
//! together.

use std::collections::{BTreeMap, BTreeSet};

use super::history::History;
use super::id::IncidentId;

/// Incidents that merges connect, and the history of each.
pub type Group = BTreeMap<IncidentId, History>;

/// Effect of a merge on an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeEffect<'a> {
    /// It was not merged.
    NotMerged,
    /// It is part of a cycle of merges, and was created first in the cycle. It counts as if it was not merged.
    FirstOfCycle,
    /// It was merged into this incident.
    Into(&'a IncidentId),
    /// It was merged into an incident whose data no event contained, or that PagerDuty did not name (`None`).
    IntoUnseen(Option<&'a IncidentId>),
}

/// Merges of a group: the effect on each incident, and the incidents that were merged into it.
#[derive(Debug)]
pub struct Merges<'a> {
    group: &'a Group,
    /// One incident of each cycle. It counts although it was merged, so that no cycle is left.
    cut: BTreeSet<&'a IncidentId>,
    /// Incidents that were merged directly into an incident.
    direct: BTreeMap<&'a IncidentId, Vec<&'a IncidentId>>,
}

impl<'a> Merges<'a> {
    /// Follows the merges of a group, and cuts its cycles.
    pub fn of(group: &'a Group) -> Self {
        let mut merges = Self { group, cut: BTreeSet::new(), direct: BTreeMap::new() };
        let cycles: Vec<_> = group.keys().filter_map(|incident| merges.cycle(incident)).collect();
        for cycle in cycles {
            // Incidents without a known creation time come last.
            let order = |incident: &'a IncidentId| {
                let began_at = group.get(incident).and_then(History::created_at);
                (began_at.is_none(), began_at, incident)
            };
            merges.cut.extend(cycle.into_iter().min_by(|a, b| order(a).cmp(&order(b))));
        }
        for incident in group.keys() {
            if let MergeEffect::Into(target) = merges.merge_effect(incident) {
                merges.direct.entry(target).or_default().push(incident);
            }
        }
        merges
    }

    /// An incident of the group, and its history.
    pub fn get(&self, incident: &IncidentId) -> Option<(&'a IncidentId, &'a History)> {
        self.group.get_key_value(incident)
    }

    /// Effect of merges on an incident.
    pub fn merge_effect(&self, incident: &'a IncidentId) -> MergeEffect<'a> {
        let merge = self.group.get(incident).and_then(History::merge);
        match merge.map(|merge| merge.into.as_ref()) {
            None => MergeEffect::NotMerged,
            Some(_) if self.cut.contains(incident) => MergeEffect::FirstOfCycle,
            Some(Some(target)) if self.is_seen(target) => MergeEffect::Into(target),
            Some(target) => MergeEffect::IntoUnseen(target),
        }
    }

    /// Incidents that were merged into this one, directly or through others, sorted by id.
    pub fn sources(&self, target: &IncidentId) -> BTreeMap<&'a IncidentId, &'a History> {
        let mut found = BTreeMap::new();
        let mut to_visit: Vec<&IncidentId> = self.direct.get(target).cloned().unwrap_or_default();
        while let Some(source) = to_visit.pop() {
            found.extend(self.get(source));
            to_visit.extend(self.direct.get(source).into_iter().flatten());
        }
        found
    }

    fn is_seen(&self, incident: &IncidentId) -> bool {
        self.group.get(incident).is_some_and(|history| !history.is_empty())
    }

    /// The cycle of merges that an incident is part of, if there is one.
    fn cycle(&self, incident: &'a IncidentId) -> Option<Vec<&'a IncidentId>> {
        self.group.get(incident).and_then(History::merge_target)?;
        let mut cycle = vec![incident];
        let mut current = incident;
        while let Some(next) = self.group.get(current).and_then(History::merge_target) {
            if next == incident {
                return Some(cycle);
            }
            if cycle.contains(&next) {
                return None;
            }
            cycle.push(next);
            current = next;
        }
        None
    }
}
