//! The failures in reach of a deployment: all failures whose links it may change, and all that are linked to it. A few
//! others may be included; for them the same links are decided again.

use std::collections::BTreeSet;

use super::figure_columns::kind;
use crate::domain::deployment::Deployment;
use crate::domain::named::version_key;
use crate::store::engine::session::{Session, TouchedDeployment};
use crate::store::engine::sql::{self, Db, Value, params};

/// Failures that a deployment may have caused or fixed, that are linked to it, or that name it. If the deployment
/// replaced another one, also failures that name the other one, perhaps by an abbreviated commit that was ambiguous.
pub(super) fn failures(
    session: &Session<'_>,
    row: i64,
    TouchedDeployment { deployment, replaced, .. }: &TouchedDeployment,
) -> sql::Result<BTreeSet<i64>> {
    const LINKED: &str =
        "SELECT id FROM failure WHERE cause = ?1 UNION ALL SELECT id FROM failure WHERE remediation = ?1";
    const CREATED: &str = "SELECT id, counts_for FROM failure WHERE created_at_ns BETWEEN ?1 AND ?2";
    let db = session.db();
    let mut found = BTreeSet::new();
    found.extend(rows(db, LINKED, params![row])?);
    let until = deployment.finished_at.saturating_add(session.settings.policy.link_window);
    found.extend(of_same_service(
        db,
        deployment,
        CREATED,
        params![deployment.started_at.as_nanos(), until.as_nanos()],
    )?);
    found.extend(open_at_start(db, deployment)?);
    let made = || std::iter::once(deployment).chain(replaced);
    let mut names = BTreeSet::from([deployment.id.as_str().to_lowercase()]);
    names.extend(
        made()
            .filter_map(|made| made.version.as_deref())
            .flat_map(|version| [version.to_lowercase(), version_key(version)]),
    );
    for name in names {
        found.extend(rows(db, "SELECT failure FROM named_deployment WHERE name = ?1", params![name])?);
    }
    for commit_sha in made().filter_map(|made| made.commit_sha.as_ref()) {
        const NAMED: &str = "SELECT failure FROM named_deployment
            WHERE name BETWEEN substr(?1, 1, 7) AND ?1 AND substr(?1, 1, length(name)) = name";
        found.extend(rows(db, NAMED, params![commit_sha.to_ascii_lowercase()])?);
    }
    Ok(found)
}

/// The failures of the deployment's service or team that have ended and were open when it started.
fn open_at_start(db: &Db, deployment: &Deployment) -> sql::Result<Vec<i64>> {
    // A failure of 2^n to 2^(n + 1) nanoseconds that is open at a time began less than 2^(n + 1) nanoseconds earlier.
    const OPEN: &str = "SELECT id, counts_for FROM failure
        WHERE duration_log2 = ?1 AND started_at_ns < ?2 AND started_at_ns > ?3 AND finished_at_ns > ?2";
    let at_ns = deployment.started_at.as_nanos();
    let mut found = Vec::new();
    for class in 0..i64::BITS - 1 {
        let longest = 2_i64.checked_pow(class + 1).unwrap_or(i64::MAX);
        found.extend(of_same_service(
            db,
            deployment,
            OPEN,
            params![class, at_ns, at_ns.saturating_sub(longest)],
        )?);
    }
    Ok(found)
}

/// Value of the column `duration_log2` for a duration.
pub(super) fn duration_log2(nanos: i64) -> u32 {
    nanos.max(1).ilog2()
}

/// Failures that a query finds and that are of the deployment's service (or team) and env.
fn of_same_service(
    db: &Db,
    deployment: &Deployment,
    sql: &str,
    params: &[Value<'_>],
) -> sql::Result<Vec<i64>> {
    let mut found = Vec::new();
    db.each(sql, params, |row| {
        let is_own = match row.text_or_null(1)? {
            // A merged failure is in no figure, but its link is shown.
            None => true,
            Some(counts_for) => {
                let kind = kind(counts_for)?;
                let is_teams = || kind.team.is_some() && kind.team == deployment.team;
                kind.env == deployment.env
                    && if kind.services.is_empty() {
                        is_teams()
                    } else {
                        kind.services.contains(&deployment.service)
                    }
            }
        };
        if is_own {
            found.push(row.get(0)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Failed deployments whose kind of remediation (rollback or rollforward) may have changed. The kind depends on the
/// deployments before the remediation.
pub(super) fn later_remediations(
    db: &Db,
    TouchedDeployment { deployment, replaced, .. }: &TouchedDeployment,
) -> sql::Result<BTreeSet<i64>> {
    const SQL: &str =
        "SELECT DISTINCT f.cause FROM deployment later JOIN failure f ON f.remediation = later.id
        WHERE later.service = ?1 AND later.env = ?2 AND later.started_at_ns >= ?3 AND f.cause IS NOT NULL";
    let mut found = BTreeSet::new();
    for Deployment { service, env, started_at, .. } in std::iter::once(deployment).chain(replaced) {
        found.extend(rows(db, SQL, params![service, env, started_at.as_nanos()])?);
    }
    Ok(found)
}

/// Other deployments that a version alone named before this deployment came, or names now that it has another version.
/// Where two others have the version, it named several before, and still does.
pub(super) fn namesakes(
    db: &Db,
    row: i64,
    TouchedDeployment { deployment, replaced, .. }: &TouchedDeployment,
) -> sql::Result<BTreeSet<i64>> {
    const OTHERS: &str = "SELECT id FROM deployment
        WHERE service = ?1 AND env = ?2 AND version = ?3 AND version IS NOT NULL AND id <> ?4 LIMIT 2";
    let mut found = BTreeSet::new();
    for Deployment { service, env, version, .. } in std::iter::once(deployment).chain(replaced) {
        let others = rows(db, OTHERS, params![service, env, version, row])?;
        if others.len() == 1 {
            found.extend(others);
        }
    }
    Ok(found)
}

fn rows(db: &Db, sql: &str, params: &[Value<'_>]) -> sql::Result<Vec<i64>> {
    db.all(sql, params, |row| row.get(0))
}
