//! The failures in reach of a deployment: all failures whose links it may change, and all that are linked to it. A few
//! others may be included; for them the same links are decided again.

use std::collections::BTreeSet;
use std::sync::LazyLock;

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
    of_same_service(db, deployment, &OPEN, params![deployment.started_at.as_nanos()])
}

/// The failures that have ended and were open at a time. A failure of 2^n to 2^(n + 1) nanoseconds began less than
/// 2^(n + 1) nanoseconds before it. One statement for all lengths takes one round trip to a server. `IS TRUE`: see
/// [`engine::sql`](sql).
static OPEN: LazyLock<String> = LazyLock::new(|| {
    let of_length = |length: u32| {
        let longest = 2_i64.checked_pow(length + 1).unwrap_or(i64::MAX);
        format!(
            "SELECT id, counts_for FROM failure WHERE duration_log2 = {length} AND started_at_ns < ?1
            AND started_at_ns > ?1 - {longest} AND (finished_at_ns > ?1) IS TRUE"
        )
    };
    let lengths = duration_log2(0)..=duration_log2(i64::MAX);
    lengths.map(of_length).collect::<Vec<_>>().join(" UNION ALL ")
});

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;
    use crate::store::engine::open_store::open_to_write;

    #[test]
    fn failures_that_were_open_are_found_whatever_their_length() {
        const INSERT: &str = "INSERT INTO failure
            (failure_id, failure_key, started_at_ns, finished_at_ns, duration_log2, facts)
            VALUES ('', 0, ?1, ?2, ?3, '') RETURNING id";
        let folder = tempfile::tempdir().unwrap();
        let db = open_to_write(&folder.path().join("store.db")).unwrap();
        db.run("BEGIN", params![]).unwrap();
        let at = Timestamp::parse("2026-11-20T00:00:00Z").unwrap().as_nanos();
        let mut expected = Vec::new();
        for length in 0..i64::BITS - 1 {
            for length in [1 << length, i64::MAX >> (i64::BITS - 2 - length)] {
                // The start and the end are at most there, or next to it.
                let starts = [-1, 0, 1].map(|off| at.saturating_add(off));
                let ends = [-1, 0, 1].map(|off| at.saturating_sub(length).saturating_add(off));
                for start in starts.into_iter().chain(ends) {
                    let end = start.saturating_add(length);
                    let class = duration_log2(end - start);
                    let row: i64 = db.only(INSERT, params![start, end, class], |row| row.get(0)).unwrap();
                    expected.extend((start < at && at < end).then_some(row));
                }
            }
        }
        let mut found = rows(&db, &OPEN, params![at]).unwrap();
        found.sort_unstable();
        assert_eq!(found, expected);
        assert!(expected.len() > 100, "{}", expected.len());
    }
}
