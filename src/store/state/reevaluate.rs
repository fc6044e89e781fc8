//! Reevaluation: computing past failures under the present configuration.
//!
//! A failure is evaluated when one of its facts changes. A change of the configuration alone changes no past failure
//! until a person runs a reevaluation.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::failure::{Facts, FailureRow, StoredForm};
use super::links::{StoredLinks, decide};
use super::merge_group::{Incidents, MergeGroup};
use crate::domain::failure::Evaluated;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::policy::Policy;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::json::from_json;
use crate::store::engine::session::Session;

/// Number of failures that are evaluated in one transaction, so that nobody waits long for the writer.
const AT_A_TIME: u32 = 200;

/// Failures to reevaluate.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReevaluateSpan {
    /// Failures that began at this time or later.
    pub since: Option<Timestamp>,
    /// Failures after this row: [`ReevaluatedBatch::next`] of the previous batch.
    pub after: i64,
}

/// Result of evaluating a batch of failures.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReevaluatedBatch {
    /// Failures whose result differs.
    pub changed: Vec<ChangedFailure>,
    /// Number of failures that were evaluated.
    pub looked_at: usize,
    /// Start of the next batch. `None` if this was the last one.
    pub next: Option<i64>,
}

/// A failure whose result differs from the stored one.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChangedFailure {
    /// Id of the failure.
    pub id: FailureId,
    /// Its changes.
    pub changes: Vec<FieldChange>,
}

/// One field, before and after.
#[derive(Debug, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field, as the failure's JSON has it.
    pub field: String,
    /// Stored value.
    pub before: Value,
    /// New value.
    pub after: Value,
}

/// Evaluates some failures, and saves those whose result differs.
pub(in crate::store) fn reevaluate(
    session: &mut Session<'_>,
    span: ReevaluateSpan,
    now: Timestamp,
) -> rusqlite::Result<ReevaluatedBatch> {
    batch(&Incidents::of(session), &session.settings.policy, span, |row, evaluated| {
        row.save(session, evaluated, now).map(drop)
    })
}

/// Evaluates some failures, and calls `save` for those whose result differs.
pub(in crate::store) fn batch(
    incidents: &Incidents<'_>,
    policy: &Policy,
    span: ReevaluateSpan,
    mut save: impl FnMut(FailureRow, Option<Evaluated>) -> rusqlite::Result<()>,
) -> rusqlite::Result<ReevaluatedBatch> {
    let mut batch = ReevaluatedBatch::default();
    let mut reevaluator = Reevaluator { incidents, policy, evaluated_together: BTreeMap::new() };
    for (row, id, stored, stored_links) in rows(incidents.db, span)? {
        batch.looked_at += 1;
        batch.next = Some(row);
        let Some((failure, evaluated)) = reevaluator.evaluate(&id)? else { continue };
        let view = StoredForm::of(evaluated.as_ref())?;
        let mut changes = Vec::new();
        if view != stored {
            changes = self::changes(stored.failure.as_deref(), view.failure.as_deref())?;
            changes.extend(self::changes(stored.details.as_deref(), view.details.as_deref())?);
        }
        if let Some(evaluated) = &evaluated {
            let links = decide(incidents.db, evaluated, policy.link_window)?;
            changes.extend(changed_links(incidents.db, stored_links, links)?);
        }
        if view != stored || !changes.is_empty() {
            batch.changed.push(ChangedFailure { id: failure.failure_id.clone(), changes });
            save(failure, evaluated)?;
        }
    }
    batch.next = batch.next.filter(|_| batch.looked_at == AT_A_TIME as usize);
    Ok(batch)
}

/// Changes of a failure's links to deployments.
fn changed_links(
    db: &Connection,
    before: StoredLinks,
    after: StoredLinks,
) -> rusqlite::Result<Vec<FieldChange>> {
    const ID: &str = "SELECT deployment_id FROM deployment WHERE id = ?1";
    let id = |row: Option<i64>| -> rusqlite::Result<Value> {
        let id: Option<String> = match row {
            Some(row) => db.prepare_cached(ID)?.query_row([row], |columns| columns.get(0)).optional()?,
            None => None,
        };
        Ok(id.map_or(Value::Null, Value::from))
    };
    let links =
        [("deployment", before.cause, after.cause), ("remediation", before.remediation, after.remediation)];
    let changed = links.into_iter().filter(|(_, before, after)| before != after);
    changed
        .map(|(field, before, after)| {
            Ok(FieldChange { field: field.to_owned(), before: id(before)?, after: id(after)? })
        })
        .collect()
}

/// The rows of a batch: their number, the failure's id, the failure as it is stored, and its links.
fn rows(
    db: &Connection,
    span: ReevaluateSpan,
) -> rusqlite::Result<Vec<(i64, String, StoredForm, StoredLinks)>> {
    const SQL: &str = "SELECT id, failure_id, evaluated, details, cause, cause_how, remediation FROM failure
        WHERE id > ?1 AND state IS NOT NULL AND started_at_ns >= ?2 ORDER BY id LIMIT ?3";
    let since_ns = span.since.map_or(i64::MIN, Timestamp::as_nanos);
    db.prepare_cached(SQL)?
        .query_map(params![span.after, since_ns, AT_A_TIME], |row| {
            let view = StoredForm { failure: row.get(2)?, details: row.get(3)? };
            Ok((row.get(0)?, row.get(1)?, view, StoredLinks::of(row, 4)?))
        })?
        .collect()
}

/// A failure's row, and the failure that its facts make.
type Reevaluated = (FailureRow, Option<Evaluated>);

/// Evaluation of failures under this policy.
struct Reevaluator<'a> {
    incidents: &'a Incidents<'a>,
    policy: &'a Policy,
    /// Failures that were evaluated together with another, because merges connect them.
    evaluated_together: BTreeMap<IncidentId, Reevaluated>,
}

impl Reevaluator<'_> {
    fn evaluate(&mut self, id: &str) -> rusqlite::Result<Option<Reevaluated>> {
        if let Some(incident) = IncidentId::of_failure(id) {
            if let Some(known) = self.evaluated_together.remove(&incident) {
                return Ok(Some(known));
            }
            if let Some(member) = self.incidents.stored(&incident)? {
                self.evaluated_together = MergeGroup::of(self.incidents, member)?.evaluate(self.policy);
                return Ok(self.evaluated_together.remove(&incident));
            }
        }
        let Some(row) = FailureRow::load_by_id(self.incidents.db, id)? else {
            return Ok(None);
        };
        let evaluated = match &row.facts {
            Facts::Submission(submission) => submission.evaluate(self.policy),
            Facts::History(_) | Facts::Damaged => return Ok(None),
        };
        Ok(Some((row, Some(evaluated))))
    }
}

/// The fields that differ.
fn changes(before: Option<&str>, after: Option<&str>) -> rusqlite::Result<Vec<FieldChange>> {
    // If the stored text is damaged or absent, every field is new.
    let before: Map<String, Value> = before.and_then(|json| from_json(json).ok()).unwrap_or_default();
    let after: Map<String, Value> = after.map_or_else(|| Ok(Map::new()), from_json)?;
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let field = |name: &String| {
        let of = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
        let (before, after) = (of(&before), of(&after));
        (before != after).then(|| FieldChange { field: name.clone(), before, after })
    };
    Ok(names.into_iter().filter_map(field).collect())
}
