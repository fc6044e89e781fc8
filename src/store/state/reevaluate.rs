//! Reevaluation: computing past failures under the present configuration.
//!
//! A failure is evaluated when one of its facts changes. A change of the configuration alone changes no past failure
//! until a person runs a reevaluation. The same holds for the deployments that GitHub and GitLab tell of. They are decided
//! after the failures; a deployment that changes has the links of failures decided again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::changed_deployments;
use super::difference;
use super::duplicates;
use super::failure::{Facts, FailureRow, StoredForm};
use super::links::decide;
use super::merge_group::{Incidents, MergeGroup};
use super::renew;
use super::source_deployment::{self, SourceDeployment};
use crate::domain::changed_deployment::{ChangedDeployment, ChangedDeployments};
use crate::domain::changed_failure::ChangedFailure;
use crate::domain::deployment_history::DeploymentHistory;
use crate::domain::failure::Evaluated;
use crate::domain::id::IncidentId;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::{FailureContent, Session};
use crate::store::engine::sql::{self, Db, params};
use crate::store::engine::time_limit::TimeLimit;

/// Largest number of failures, or of deployments, that are read for a part. [`TimeLimit`] usually ends the part earlier. A
/// dry run has no limit of time.
const AT_A_TIME: u32 = 200;

/// Number of row ids that one batch looks through. With `since`, a batch may find no failure: the oldest come first.
const READ_AT_A_TIME: i64 = if cfg!(test) { 2 } else { 10_000 };

/// Failures and deployments to reevaluate.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReevaluateSpan {
    /// Failures that began, and deployments that ended, at this time or later.
    pub since: Option<Timestamp>,
    /// The next batch: [`ReevaluatedBatch::next`] of the previous one.
    pub from: ReevaluatePlace,
}

/// Start of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReevaluatePlace {
    /// The subjects of the batch.
    pub part: ReevaluatePart,
    /// Those after this row.
    pub after: i64,
}

/// The subjects of a batch, in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ReevaluatePart {
    /// Failures.
    #[default]
    Failures,
    /// Deployments that sources told of.
    Deployments,
}

impl ReevaluatePart {
    /// Word in queries.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Result of evaluating a batch.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReevaluatedBatch {
    /// Failures whose result differs.
    pub changed: Vec<ChangedFailure>,
    /// Number of failures that were evaluated.
    pub looked_at: usize,
    /// Deployments whose result differs.
    pub changed_deployments: Vec<ChangedDeployment>,
    /// Number of deployments that were decided again.
    pub looked_at_deployments: usize,
    /// Start of the next batch. `None` if this was the last one.
    pub next: Option<ReevaluatePlace>,
}

/// Evaluates a batch, and saves the results that differ.
pub(in crate::store) fn reevaluate(
    session: &mut Session<'_>,
    span: ReevaluateSpan,
    now: Timestamp,
) -> sql::Result<ReevaluatedBatch> {
    if span.from.part == ReevaluatePart::Deployments {
        return reevaluate_deployments(session, span, now);
    }
    let limit = Some(TimeLimit::of_a_part());
    reevaluate_failures(&Incidents::of(session), &session.settings.policy, (span, limit), |row, evaluated| {
        row.save(session, evaluated, now).map(drop)
    })
}

/// Decides some deployments of sources again, and saves those whose result differs.
fn reevaluate_deployments(
    session: &mut Session<'_>,
    span: ReevaluateSpan,
    now: Timestamp,
) -> sql::Result<ReevaluatedBatch> {
    let (limit, sources) = (TimeLimit::of_a_part(), session.settings.sources);
    let (source_deployments, next) = deployments_of_batch(session.db(), sources, span)?;
    let mut batch = ReevaluatedBatch { next, ..ReevaluatedBatch::default() };
    let mut changed = ChangedDeployments::default();
    for source_deployment in &source_deployments {
        let one = std::slice::from_ref(source_deployment);
        changed.extend(changed_deployments::of_all(session.db(), sources, one, &session.settings.policy)?);
        let received_at = source_deployment::last_received_at(session.db(), source_deployment.row)?;
        source_deployment::apply(session, source_deployment, received_at.unwrap_or(now), now)?;
        // Now and not at the end of the transaction, because the time is spent here.
        duplicates::settle(session)?;
        renew::links(session)?;
        batch.looked_at_deployments += 1;
        if limit.is_over() {
            batch.next = Some(ReevaluatePlace { after: source_deployment.row, ..span.from });
            break;
        }
    }
    batch.changed_deployments = changed.into();
    Ok(batch)
}

/// Finds the changes of some deployments of sources.
pub(in crate::store) fn deployment_changes(
    db: &Db,
    sources: Sources,
    policy: &Policy,
    span: ReevaluateSpan,
) -> sql::Result<ReevaluatedBatch> {
    let (source_deployments, next) = deployments_of_batch(db, sources, span)?;
    Ok(ReevaluatedBatch {
        changed_deployments: changed_deployments::of_all(db, sources, &source_deployments, policy)?,
        looked_at_deployments: source_deployments.len(),
        next,
        ..ReevaluatedBatch::default()
    })
}

/// The deployments of sources of a batch, and the start of the next batch.
fn deployments_of_batch(
    db: &Db,
    sources: Sources,
    span: ReevaluateSpan,
) -> sql::Result<(Vec<SourceDeployment>, Option<ReevaluatePlace>)> {
    let mut all = source_deployment::after_row(db, sources, span.from.after, AT_A_TIME)?;
    let next = all.last().filter(|_| all.len() == AT_A_TIME as usize);
    let next = next.map(|last| ReevaluatePlace { after: last.row, ..span.from });
    all.retain(|source_deployment| {
        let last_at = source_deployment.history.as_ref().and_then(DeploymentHistory::last_at);
        span.since.is_none_or(|since| last_at.is_some_and(|at| at >= since))
    });
    Ok((all, next))
}

/// Evaluates some failures, as many as there is time for, and calls `save` for those whose result differs.
pub(in crate::store) fn reevaluate_failures(
    incidents: &Incidents<'_>,
    policy: &Policy,
    (span, limit): (ReevaluateSpan, Option<TimeLimit>),
    mut save: impl FnMut(FailureRow, Option<Evaluated>) -> sql::Result<()>,
) -> sql::Result<ReevaluatedBatch> {
    let mut reevaluator = Reevaluator { incidents, policy, evaluated_together: BTreeMap::new() };
    let (failures, next) = failures_of_batch(incidents.db, span)?;
    let mut batch = ReevaluatedBatch { next: Some(next), ..ReevaluatedBatch::default() };
    for (row, id, before) in failures {
        batch.looked_at += 1;
        if let Some((changed, (failure, evaluated))) = reevaluator.change(&id, &before)? {
            batch.changed.push(changed);
            save(failure, evaluated)?;
        }
        if limit.is_some_and(TimeLimit::is_over) {
            batch.next = Some(ReevaluatePlace { after: row, ..span.from });
            break;
        }
    }
    Ok(batch)
}

/// A failure to evaluate: its row, its id, and the failure as it is stored.
type ToEvaluate = (i64, String, FailureContent);

/// The failures of a batch, and the start of the next batch.
fn failures_of_batch(db: &Db, span: ReevaluateSpan) -> sql::Result<(Vec<ToEvaluate>, ReevaluatePlace)> {
    // `IS TRUE`: see `engine::sql`.
    const SQL: &str = "SELECT id, failure_id, evaluated, details, cause, remediation FROM failure
        WHERE id > ?1 AND id <= ?2 AND (state IS NOT NULL AND started_at_ns >= ?3) IS TRUE ORDER BY id LIMIT ?4";
    const LAST: &str = "SELECT max(id) FROM failure";
    let since_ns = span.since.map_or(i64::MIN, Timestamp::as_nanos);
    let after = span.from.after;
    let up_to = after.saturating_add(READ_AT_A_TIME);
    let rows = db.all(SQL, params![after, up_to, since_ns, AT_A_TIME], |row| {
        let (failure, details) = (row.get(2)?, row.get(3)?);
        let (cause, remediation) = (row.get(4)?, row.get(5)?);
        Ok((row.get(0)?, row.get(1)?, FailureContent { failure, details, cause, remediation }))
    })?;
    let next = match rows.last() {
        Some(&(last, ..)) if rows.len() == AT_A_TIME as usize => ReevaluatePlace { after: last, ..span.from },
        _ if db.only(LAST, params![], |row| row.get::<Option<i64>>(0))? > Some(up_to) => {
            ReevaluatePlace { after: up_to, ..span.from }
        }
        _ => ReevaluatePlace { part: ReevaluatePart::Deployments, after: 0 },
    };
    Ok((rows, next))
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
    /// Evaluates a failure. `None` if the result is what is stored.
    fn change(
        &mut self,
        id: &str,
        before: &FailureContent,
    ) -> sql::Result<Option<(ChangedFailure, Reevaluated)>> {
        let Some((row, evaluated)) = self.evaluate(id)? else { return Ok(None) };
        let StoredForm { failure, details } = StoredForm::of(evaluated.as_ref())?;
        let mut after = FailureContent { failure, details, ..before.clone() };
        if let Some(evaluated) = &evaluated {
            let links = decide(self.incidents.db, evaluated, self.policy.link_window)?;
            (after.cause, after.remediation) = (links.cause, links.remediation);
        }
        if after == *before {
            return Ok(None);
        }
        let changes = difference::between(self.incidents.db, before, &after)?;
        Ok(Some((ChangedFailure { id: row.failure_id.clone(), changes }, (row, evaluated))))
    }

    fn evaluate(&mut self, id: &str) -> sql::Result<Option<Reevaluated>> {
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

#[cfg(test)]
mod tests;
