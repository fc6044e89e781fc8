//! Listing deployments.

use super::place::{Place, cursor, place};
use super::reader::Reader;
use crate::domain::deployment_view::{DeploymentView, PendingRule};
use crate::domain::mark::RemediationKind;
use crate::domain::source_deployment::matchable_tags;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::{self, Db, ToValue, params};
use crate::store::facts::deployment::{FINISHED_AT, STORED, StoredDeployment, stored};
use crate::store::outbox::desired::{failed, remediation_kind};
use crate::store::state::source_deployment::history_of;

/// Deployments to list, newest end first.
#[derive(Debug, Clone, Default)]
pub struct DeploymentFilter {
    /// Only those of this service.
    pub service: Option<String>,
    /// Only those to this env.
    pub env: Option<String>,
    /// Only those of this team.
    pub team: Option<String>,
    /// Only those that ended at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that ended before this time.
    pub until: Option<Timestamp>,
    /// Only those that caused a failure that counts.
    pub failed: bool,
    /// Those that are ignored, in place of those that count. Deployments that are sent to the event API always count.
    pub ignored: bool,
    /// Largest number of deployments.
    pub limit: usize,
    /// Cursor from [`DeploymentPage::next`] of the previous page.
    pub cursor: Option<String>,
}

/// A part of a listing.
#[derive(Debug, Default)]
pub struct DeploymentPage {
    /// The deployments.
    pub deployments: Vec<DeploymentView>,
    /// Cursor of the next part, if there is one.
    pub next: Option<String>,
}

impl Reader {
    /// The deployments that pass the filter.
    pub fn deployments(
        &self,
        filter: &DeploymentFilter,
        pending: PendingRule,
    ) -> Result<DeploymentPage, ReadError> {
        let before = place(filter.cursor.as_deref())?;
        // No row has a number below 1.
        let until = filter.until.map_or((i64::MAX, i64::MAX), |until| (until.as_nanos(), 0));
        let before = before.min(until);
        // No failure is linked to an ignored one.
        if filter.ignored && filter.failed {
            return Ok(DeploymentPage::default());
        }
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        Ok(page(&db, filter, before, pending)?)
    }
}

/// The deployments that pass the filter and come after this place of the listing.
fn page(
    db: &Db,
    filter: &DeploymentFilter,
    (before_end, before_id): Place,
    pending: PendingRule,
) -> sql::Result<DeploymentPage> {
    let since = filter.since.map_or(i64::MIN, Timestamp::as_nanos);
    let one_more = i64::try_from(filter.limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut parameters = params![since, before_end, before_id].to_vec();
    let filtered_by = [&filter.service, &filter.env, &filter.team];
    parameters.extend(filtered_by.into_iter().flatten().map(ToValue::to_value));
    parameters.push(one_more.to_value());
    let mut page = DeploymentPage::default();
    let mut last = (0, 0);
    page.next = db.find(&listing_sql(filter), &parameters, |row| {
        if page.deployments.len() == filter.limit {
            return Ok(Some(cursor(last)));
        }
        last = (row.get(FINISHED_AT)?, row.get(0)?);
        page.deployments.push(view(db, stored(row)?, pending)?.0);
        Ok(None)
    })?;
    Ok(page)
}

/// Statement of a listing. It names its index, which has the rows in the order of the listing and all columns that the
/// filter compares: rows that do not pass are skipped in the index.
fn listing_sql(filter: &DeploymentFilter) -> String {
    let DeploymentFilter { service, env, team, failed, ignored, .. } = filter;
    let index = match (failed, service, team, env) {
        _ if *ignored => "deployment_by_ignored_end",
        (true, ..) => "deployment_by_failed_end",
        (false, Some(_), ..) => "deployment_by_services_end",
        (false, None, Some(_), _) => "deployment_by_teams_end",
        (false, None, None, Some(_)) => "deployment_by_envs_end",
        (false, None, None, None) => "deployment_by_end",
    };
    let conditions = [
        (*ignored, " AND counts = 0"),
        (!*ignored, " AND counts = 1"),
        (*failed, " AND failed = 1"),
        (service.is_some(), " AND service = ?"),
        (env.is_some(), " AND env = ?"),
        (team.is_some(), " AND team = ?"),
    ];
    let conditions: String =
        conditions.into_iter().filter_map(|(is_asked, condition)| is_asked.then_some(condition)).collect();
    format!(
        "{STORED} INDEXED BY {index}
        WHERE finished_at_ns >= ?1 AND (finished_at_ns, id) < (?2, ?3){conditions}
        ORDER BY finished_at_ns DESC, id DESC LIMIT ?"
    )
}

/// A stored deployment with its links to failures, and the kind of its remediation, if it has one.
pub(super) fn view(
    db: &Db,
    StoredDeployment { row, mut deployment, origin, standing, .. }: StoredDeployment,
    pending: PendingRule,
) -> sql::Result<(DeploymentView, Option<RemediationKind>)> {
    const CAUSED: &str = "SELECT failure_id FROM failure WHERE cause = ?1 AND state IN ('open', 'completed')
        ORDER BY started_at_ns, id";
    const FIXED: &str =
        "SELECT failure_id FROM failure WHERE remediation = ?1 AND state IN ('open', 'completed')
        ORDER BY started_at_ns, id";
    let counts = standing.counts();
    let history = if counts { None } else { history_of(db, origin.source_deployment)? };
    if let Some(history) = &history {
        // A duplicate is stored as it would count, so without the facts.
        deployment.tags.extend(matchable_tags(&history.facts()));
    }
    let failures = ids(db, CAUSED, row)?;
    let remediation = if failures.is_empty() { None } else { failed(db, row)? };
    let remediation = remediation.and_then(|failed| failed.remediation);
    let kind = remediation.as_ref().map(|deployment| remediation_kind(db, deployment)).transpose()?;
    let view = DeploymentView {
        source: origin.source,
        failures,
        remediation,
        remediates: ids(db, FIXED, row)?,
        is_rollback: counts && remediation_kind(db, &deployment)? == RemediationKind::Rollback,
        is_pending: counts && pending.is_pending(deployment.finished_at),
        ignored_because: standing.reason(),
        has_ended: history.is_none_or(|history| history.has_ended()),
        deployment,
    };
    Ok((view, kind))
}

fn ids(db: &Db, sql: &str, row: i64) -> sql::Result<Vec<String>> {
    db.all(sql, params![row], |columns| columns.get(0))
}

#[cfg(test)]
mod tests;
