//! Incidents that merges connect. They are evaluated together, because one may take its start from another (rule 8).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::failure::{Facts, FailureRow};
use crate::domain::evaluate::{evaluate_alone, evaluate_group};
use crate::domain::event::Event;
use crate::domain::failure::Evaluated;
use crate::domain::history::History;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::merge::Group;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Db, params};
use crate::store::facts::delivery::source;
use crate::store::facts::subject_key::failure_key;

/// An incident, its row, and the history of its events.
pub(in crate::store) struct Member {
    incident: IncidentId,
    /// Its facts are in `history` until it is saved.
    pub(in crate::store) row: FailureRow,
    history: History,
}

impl Member {
    /// Adds events, each with the time at which it was received. `None` if they change nothing, so that nothing is
    /// evaluated.
    pub(in crate::store) fn add_events<'a>(
        mut self,
        events: impl Iterator<Item = (&'a Event, Timestamp)>,
    ) -> Option<ChangedMember> {
        let merged_before = self.history.merge_target().cloned();
        let (mut has_changed, mut last_received_at) = (self.row.id.is_none(), Timestamp::MIN);
        for (event, received_at) in events {
            has_changed |= self.history.insert(event, received_at);
            last_received_at = last_received_at.max(received_at);
        }
        has_changed.then_some(ChangedMember { member: self, merged_before, received_at: last_received_at })
    }
}

/// An incident whose facts have changed.
pub(in crate::store) struct ChangedMember {
    member: Member,
    /// Incident that it was merged into until now.
    merged_before: Option<IncidentId>,
    /// Time at which the last event about it was received.
    received_at: Timestamp,
}

impl ChangedMember {
    /// `true` if no merge connects it with another, now or before.
    pub(in crate::store) fn stands_alone(&self, session: &Session<'_>) -> sql::Result<bool> {
        const IS_TARGET: &str = "SELECT EXISTS (SELECT 1 FROM failure WHERE merged_into_key = ?1)";
        let Member { row, history, .. } = &self.member;
        if self.merged_before.is_some() || history.merge().is_some() {
            return Ok(false);
        }
        let key = failure_key(&row.failure_id);
        let is_in_table = || session.db().only(IS_TARGET, params![key], |row| row.get(0));
        session.merge_targets.contains(key, is_in_table).map(|is_target: bool| !is_target)
    }

    /// Saves an incident that no merge connects with another. Returns its row.
    pub(in crate::store) fn save(self, session: &mut Session<'_>) -> sql::Result<i64> {
        let Member { incident, mut row, history } = self.member;
        let evaluated = evaluate_alone(&incident, &history, &session.settings.policy);
        row.facts = Facts::History(history);
        row.save(session, evaluated, self.received_at)
    }
}

/// Incidents whose facts have changed, to be saved with all other incidents that change with them.
#[derive(Default)]
pub(in crate::store) struct ChangedMembers(BTreeMap<IncidentId, ChangedMember>);

impl ChangedMembers {
    pub(in crate::store) fn insert(&mut self, changed: ChangedMember) {
        self.0.insert(changed.member.incident.clone(), changed);
    }

    /// Saves these incidents, and every other incident that changes with them. Returns the rows of these incidents.
    pub(in crate::store) fn save(
        mut self,
        session: &mut Session<'_>,
    ) -> sql::Result<BTreeMap<IncidentId, i64>> {
        let mut saved = BTreeMap::new();
        while let Some((_, first)) = self.0.pop_first() {
            let now = first.received_at;
            let group = MergeGroup::with(&Incidents::of(session), first, &mut self)?;
            let changed = group.changed.clone();
            for (incident, (row, evaluated)) in group.evaluate(&session.settings.policy) {
                let is_changed = changed.contains(&incident);
                if !is_changed && row.is_stored_with(session, evaluated.as_ref())? {
                    continue;
                }
                let id = row.save(session, evaluated, now)?;
                if is_changed {
                    saved.insert(incident, id);
                }
            }
        }
        Ok(saved)
    }
}

/// An incident and all incidents that merges connect with it, now or before.
pub(in crate::store) struct MergeGroup {
    pub(in crate::store) group: Group,
    rows: BTreeMap<IncidentId, FailureRow>,
    /// Members whose facts have changed.
    changed: BTreeSet<IncidentId>,
}

impl MergeGroup {
    /// The group of an incident whose facts have not changed.
    pub(in crate::store) fn of(incidents: &Incidents<'_>, member: Member) -> sql::Result<Self> {
        let mut group = Self { group: Group::new(), rows: BTreeMap::new(), changed: BTreeSet::new() };
        let to_visit = group.add(incidents, member)?;
        group.follow(incidents, to_visit, &mut ChangedMembers::default())?;
        Ok(group)
    }

    /// The group of a changed incident. Takes the other changed incidents of the group out of `others`.
    fn with(
        incidents: &Incidents<'_>,
        first: ChangedMember,
        others: &mut ChangedMembers,
    ) -> sql::Result<Self> {
        let mut group = Self { group: Group::new(), rows: BTreeMap::new(), changed: BTreeSet::new() };
        let to_visit = group.add_changed(incidents, first)?;
        group.follow(incidents, to_visit, others)?;
        Ok(group)
    }

    fn follow(
        &mut self,
        incidents: &Incidents<'_>,
        mut to_visit: Vec<IncidentId>,
        others: &mut ChangedMembers,
    ) -> sql::Result<()> {
        while let Some(incident) = to_visit.pop() {
            if self.group.contains_key(&incident) {
                continue;
            }
            if let Some(other) = others.0.remove(&incident) {
                to_visit.extend(self.add_changed(incidents, other)?);
            } else if let Some(member) = incidents.stored(&incident)? {
                to_visit.extend(self.add(incidents, member)?);
            }
        }
        Ok(())
    }

    fn add_changed(
        &mut self,
        incidents: &Incidents<'_>,
        ChangedMember { member, merged_before, .. }: ChangedMember,
    ) -> sql::Result<Vec<IncidentId>> {
        self.changed.insert(member.incident.clone());
        let mut neighbours = self.add(incidents, member)?;
        neighbours.extend(merged_before);
        Ok(neighbours)
    }

    /// Adds a member, and returns the incidents that it is connected with.
    fn add(&mut self, incidents: &Incidents<'_>, member: Member) -> sql::Result<Vec<IncidentId>> {
        let mut neighbours = incidents.merged_into(&member.row.failure_id)?;
        neighbours.extend(member.history.merge_target().cloned());
        self.group.insert(member.incident.clone(), member.history);
        self.rows.insert(member.incident, member.row);
        Ok(neighbours)
    }

    /// Evaluates every member, with its row and its facts.
    pub(in crate::store) fn evaluate(
        mut self,
        policy: &Policy,
    ) -> BTreeMap<IncidentId, (FailureRow, Option<Evaluated>)> {
        let mut evaluated = evaluate_group(&self.group, policy);
        let with_facts = |(incident, mut row): (IncidentId, FailureRow)| {
            #[expect(clippy::expect_used, reason = "`add` inserts into both maps")]
            let history = self.group.remove(&incident).expect("each row has its history in the group");
            row.facts = Facts::History(history);
            let evaluated = evaluated.remove(&incident);
            (incident, (row, evaluated))
        };
        self.rows.into_iter().map(with_facts).collect()
    }
}

/// Reader of stored incidents.
pub(in crate::store) struct Incidents<'a> {
    pub(in crate::store) db: &'a Db,
    /// Sources that read the bodies of their events.
    pub(in crate::store) sources: Sources,
}

impl<'a> Incidents<'a> {
    /// Reader for the open transaction.
    pub(in crate::store) fn of(session: &Session<'a>) -> Self {
        Self { db: session.db(), sources: session.settings.sources }
    }

    /// The incident as it is stored, or a new one. If a failure with its id was sent to the event API, the incident's
    /// own events, which are about to be added, replace it.
    pub(in crate::store) fn load(&self, incident: &IncidentId) -> sql::Result<Member> {
        let failure_id = FailureId::of_incident(incident);
        let mut row = match FailureRow::load(self.db, &failure_id)? {
            Some(row) => row,
            None => FailureRow::new(failure_id, Facts::default()),
        };
        let history = self.history(&mut row)?.unwrap_or_default();
        Ok(Member { incident: incident.clone(), row, history })
    }

    /// The incident, if it is stored. A failure that was sent to the event API under its id does not count.
    pub(in crate::store) fn stored(&self, incident: &IncidentId) -> sql::Result<Option<Member>> {
        let Some(mut row) = FailureRow::load(self.db, &FailureId::of_incident(incident))? else {
            return Ok(None);
        };
        let history = self.history(&mut row)?;
        Ok(history.map(|history| Member { incident: incident.clone(), row, history }))
    }

    /// The history of an incident. Empty if the incident is not known.
    pub(in crate::store) fn known_history(&self, incident: &IncidentId) -> sql::Result<History> {
        Ok(self.stored(incident)?.map(|member| member.history).unwrap_or_default())
    }

    /// Takes the history out of a row. `None` if it has none.
    fn history(&self, row: &mut FailureRow) -> sql::Result<Option<History>> {
        match std::mem::take(&mut row.facts) {
            Facts::History(history) => Ok(Some(history)),
            Facts::Submission(_) => Ok(None),
            // If the bodies were removed, too, the failure stays as it is. An empty history would remove the failure.
            Facts::Damaged => Ok(Some(self.rebuilt_history(row.id)?).filter(|history| !history.is_empty())),
        }
    }

    /// Stored incidents that were merged into this one.
    fn merged_into(&self, target: &FailureId) -> sql::Result<Vec<IncidentId>> {
        const SQL: &str = "SELECT failure_id FROM failure WHERE merged_into_key = ?1";
        let mut merged = Vec::new();
        self.db.each(SQL, params![failure_key(target)], |row| {
            merged.extend(IncidentId::of_failure(row.text(0)?));
            Ok(())
        })?;
        Ok(merged)
    }

    /// History rebuilt from the stored events, for a row that is damaged.
    fn rebuilt_history(&self, failure: Option<i64>) -> sql::Result<History> {
        const SQL: &str =
            "SELECT received_at_ns, body, source FROM failure_event JOIN event ON event.id = event
            WHERE failure = ?1 AND body IS NOT NULL";
        let mut history = History::default();
        self.db.each(SQL, params![failure], |row| {
            if let Some(event) = (source(self.sources, row, 2)?.parse)(row.bytes(1)?) {
                history.insert(&event, Timestamp::from_nanos(row.get(0)?));
            }
            Ok(())
        })?;
        Ok(history)
    }
}

/// Keys of all failures that an incident was merged into.
pub(in crate::store) fn merge_targets(db: &Db) -> sql::Result<HashSet<i64>> {
    const SQL: &str = "SELECT DISTINCT merged_into_key FROM failure WHERE merged_into_key IS NOT NULL";
    Ok(db.all(SQL, params![], |row| row.get(0))?.into_iter().collect())
}
