//! Links from failures to deployments, kept up as failures and deployments come.
//!
//! Only once a backend has marked deployments that failed; before, a link is looked for when it is shown. A link
//! depends on the failure and on every deployment that may be its cause, whichever came first: so each failure
//! that counts leaves clues, by which a deployment finds those that it may have caused or remedied. They may find
//! too many: the facts that decide are looked at again.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Params, params};

use super::deployment_row::{candidates, row_of};
use super::stored_failure::{self, details};
use super::writer::Session;
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Details, Evaluated, Failure};
use crate::domain::mark::blames;
use crate::domain::named::{readings, version_key};
use crate::domain::timestamp::Timestamp;

/// Looks at what a failure that was saved is linked to. `None`: it is no failure.
pub(super) fn failure_saved(
    session: &mut Session<'_>,
    row: i64,
    evaluated: Option<&Evaluated>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if !session.keeps_marks {
        return Ok(());
    }
    let linked_before = forget(session, row)?;
    session.affect(linked_before, now);
    let evaluated = evaluated.filter(|evaluated| evaluated.failure.state.counts());
    if let Some(Evaluated { failure, details }) = evaluated {
        link(session, row, failure, details, now)?;
        leave_clues(session, row, failure, details)?;
    }
    Ok(())
}

/// Looks again at all failures that a deployment which was saved may have caused, or the one that it `replaced`.
/// Whatever else it decides about is looked at as well: what it may have mended, and how it was mended.
pub(super) fn deployment_saved(
    session: &mut Session<'_>,
    row: i64,
    deployment: &Deployment,
    replaced: Option<&Deployment>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    const OF_FAILURE: &str = "SELECT evaluated, details FROM failure WHERE id = ?1";
    if !session.keeps_marks {
        return Ok(());
    }
    session.affect(Some(row), now);
    for failure_row in suspects(session, row, deployment, replaced)? {
        let (failure, details): (Failure, Details) =
            session.prepare(OF_FAILURE)?.query_row([failure_row], |columns| {
                let details = details(columns.get_ref(1)?.as_str_or_null()?)?;
                Ok((stored_failure::failure(columns.get_ref(0)?.as_str()?)?, details))
            })?;
        let linked_before = linked(session, failure_row)?;
        session.affect(linked_before, now);
        link(session, failure_row, &failure, &details, now)?;
    }
    for affected in mended(session, row, deployment, replaced)? {
        session.affect(Some(affected), now);
    }
    Ok(())
}

/// The deployment that a failure was found to be linked to.
fn linked(session: &Session<'_>, failure: i64) -> rusqlite::Result<Option<i64>> {
    const SQL: &str = "SELECT deployment FROM blame WHERE failure = ?1";
    Ok(session.prepare(SQL)?.query_row([failure], |row| row.get(0)).optional()?.flatten())
}

/// Forgets a failure. Returns the deployment that it was linked to.
fn forget(session: &Session<'_>, failure: i64) -> rusqlite::Result<Option<i64>> {
    let linked_before = linked(session, failure)?;
    session.execute("DELETE FROM clue WHERE failure = ?1", [failure])?;
    session.execute("DELETE FROM blame WHERE failure = ?1", [failure])?;
    Ok(linked_before)
}

/// Links a failure to the deployment that caused it, as far as is known.
fn link(
    session: &mut Session<'_>,
    row: i64,
    failure: &Failure,
    details: &Details,
    now: Timestamp,
) -> rusqlite::Result<()> {
    const SAVE: &str =
        "INSERT INTO blame VALUES (?1, ?2) ON CONFLICT (failure) DO UPDATE SET deployment = ?2";
    let suspect = details.suspect(failure);
    let link_window = session.settings.link_window;
    let deployments = candidates(session.db(), &suspect, link_window)?;
    let cause = deployments.link(&suspect, link_window).deployment();
    let cause = cause.filter(|cause| blames(failure, cause));
    let cause = cause.map(|cause| row_of(session.db(), &cause.id)).transpose()?.flatten();
    session.execute(SAVE, params![row, cause])?;
    session.affect(cause, now);
    Ok(())
}

/// Leaves what a failure can be found by.
fn leave_clues(
    session: &Session<'_>,
    row: i64,
    failure: &Failure,
    details: &Details,
) -> rusqlite::Result<()> {
    const LEAVE: &str = "INSERT INTO clue VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    let suspect = details.suspect(failure);
    let leave = |about: &str, name: &str, env: &str, at: Timestamp| {
        session.execute(LEAVE, params![about, name, env, at.as_nanos(), row]).map(drop)
    };
    if !suspect.forbids_link() {
        for reading in suspect.named.iter().flat_map(|named| readings(named)) {
            leave("named", &reading.to_ascii_lowercase(), "", suspect.created_at)?;
            leave("named", &version_key(reading), "", suspect.created_at)?;
        }
        for service in suspect.services {
            leave("service", service, suspect.env, suspect.created_at)?;
        }
        if let Some(team) = suspect.team.filter(|_| suspect.services.is_empty()) {
            leave("team", team, suspect.env, suspect.created_at)?;
        }
    }
    let Some(end) = failure.finished_at else { return Ok(()) };
    failure.services.iter().try_for_each(|service| leave("mended", service, &failure.env, end))
}

/// The failures that a deployment may be the cause of, or was until now; and those for which the one that it `replaced`
/// made the beginning of a commit ambiguous.
fn suspects(
    session: &Session<'_>,
    row: i64,
    deployment: &Deployment,
    replaced: Option<&Deployment>,
) -> rusqlite::Result<BTreeSet<i64>> {
    const LINKED: &str = "SELECT failure FROM blame WHERE deployment = ?1";
    const IN_WINDOW: &str = "SELECT failure FROM clue
        WHERE about = ?1 AND name = ?2 AND env = ?3 AND at_ns BETWEEN ?4 AND ?5";
    const NAMED: &str = "SELECT failure FROM clue WHERE about = 'named' AND name = ?1 AND env = ''";
    const NAMED_COMMIT: &str = "SELECT failure FROM clue WHERE about = 'named'
        AND name BETWEEN substr(?1, 1, 7) AND ?1 AND instr(?1, name) = 1 AND env = ''";
    let mut found = BTreeSet::new();
    found.extend(rows(session, LINKED, [row])?);
    let from_ns = deployment.started_at.as_nanos();
    let until_ns = deployment.finished_at.saturating_add(session.settings.link_window).as_nanos();
    let own = [("service", Some(&deployment.service)), ("team", deployment.team.as_ref())];
    for (about, name) in own.into_iter().filter_map(|(about, name)| Some((about, name?))) {
        found.extend(rows(session, IN_WINDOW, params![about, name, deployment.env, from_ns, until_ns])?);
    }
    let names =
        [Some(deployment.id.as_str().to_ascii_lowercase()), deployment.version.as_deref().map(version_key)];
    for name in names.into_iter().flatten() {
        found.extend(rows(session, NAMED, [name])?);
    }
    let commits =
        [Some(deployment), replaced].into_iter().flatten().filter_map(|made| made.commit_sha.as_ref());
    for commit_sha in commits {
        found.extend(rows(session, NAMED_COMMIT, [commit_sha.to_ascii_lowercase()])?);
    }
    Ok(found)
}

/// The failed deployments whose mark this one may decide: it mended them, was told to have, or decides whether what did
/// is a rollback.
fn mended(
    session: &Session<'_>,
    row: i64,
    deployment: &Deployment,
    replaced: Option<&Deployment>,
) -> rusqlite::Result<BTreeSet<i64>> {
    const WHILE_OPEN: &str = "SELECT b.deployment FROM clue JOIN failure f ON f.id = clue.failure
        JOIN blame b ON b.failure = clue.failure
        WHERE about = 'mended' AND name = ?1 AND env = ?2 AND at_ns > ?3 AND f.started_at_ns <= ?3
        AND b.deployment IS NOT NULL";
    const BY_IT: &str = "SELECT deployment FROM failed WHERE remediation = ?1";
    // Whether a deployment is a rollback depends on those before it.
    const BY_LATER_ONES: &str = "SELECT failed.deployment FROM deployment later
        JOIN failed ON failed.remediation = later.id
        WHERE later.service = ?1 AND later.env = ?2 AND later.started_at_ns >= ?3";
    let mut found = BTreeSet::new();
    let Deployment { service, env, started_at, .. } = deployment;
    found.extend(rows(session, WHILE_OPEN, params![service, env, started_at.as_nanos()])?);
    found.extend(rows(session, BY_IT, [row])?);
    for Deployment { service, env, started_at, .. } in [Some(deployment), replaced].into_iter().flatten() {
        found.extend(rows(session, BY_LATER_ONES, params![service, env, started_at.as_nanos()])?);
    }
    Ok(found)
}

fn rows(session: &Session<'_>, sql: &str, params: impl Params) -> rusqlite::Result<Vec<i64>> {
    session.prepare(sql)?.query_map(params, |row| row.get(0))?.collect()
}
