//! Finding failures and deployments by a part of their ids.

use std::collections::BTreeSet;

use super::reader::Reader;
use crate::domain::deployment::Deployment;
use crate::domain::forwarding::BackendEntry;
use crate::domain::id::FailureId;
use crate::domain::named::is_short_commit;
use crate::domain::source::Sources;
use crate::domain::source_name::SourceName;
use crate::domain::text_limits::check_id;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::{self, Db, Value, params};
use crate::store::facts::deployment::load;
use crate::store::facts::subject_key::failure_key;

/// Texts that stand in an id for the letters that a table has left out.
const ELLIPSES: [&str; 2] = ["…", "..."];

/// A failure or a deployment that was found by its id or a part of the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundId {
    /// Its whole id.
    pub id: String,
    /// Its kind.
    pub kind: FoundKind,
    /// Name of a deployment for people: its service, and its version or short commit.
    pub name: Option<String>,
}

/// The kinds of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundKind {
    /// A failure; its incident's id names it, too.
    Failure,
    /// A deployment.
    Deployment,
}

impl Reader {
    /// The failures and deployments whose id or incident's id is `text`, else those whose id begins with it; at most
    /// `limit`. Letter case does not matter. An id that a table has cut (`0123…cdef`) finds all ids with this beginning
    /// and end.
    pub fn find(&self, text: &str, sources: Sources, limit: u32) -> Result<Vec<FoundId>, ReadError> {
        self.search(text, limit, |db, pattern| {
            let mut found = failures(db, pattern, sources, limit)?;
            found.extend(deployments(db, pattern, limit)?);
            Ok(found)
        })
    }

    /// The same for deployments alone.
    pub fn find_deployments(&self, text: &str, limit: u32) -> Result<Vec<FoundId>, ReadError> {
        self.search(text, limit, |db, pattern| deployments(db, pattern, limit))
    }

    /// The deployments of a commit, by its sha or a beginning of it that is long enough, newest first.
    pub fn find_deployments_of_commit(&self, text: &str, limit: u32) -> Result<Vec<FoundId>, ReadError> {
        // The letter g sorts after every hexadecimal digit.
        const SQL: &str = "SELECT facts FROM deployment
            WHERE commit_sha >= ?1 AND commit_sha < ?1 || 'g'
            ORDER BY started_at_ns DESC, deployment_id DESC LIMIT ?2";
        let text = text.trim();
        if !is_short_commit(text) {
            return Ok(Vec::new());
        }
        Ok(load(&self.lock(), SQL, params![text.to_ascii_lowercase(), limit])?
            .into_iter()
            .map(FoundId::from)
            .collect())
    }

    /// Finds the id itself, else the ids that begin with it, by `matching`.
    fn search(
        &self,
        text: &str,
        limit: u32,
        matching: impl Fn(&Db, &Pattern) -> sql::Result<Vec<FoundId>>,
    ) -> Result<Vec<FoundId>, ReadError> {
        let text = text.trim();
        if check_id(text).is_err() || text.is_empty() {
            return Ok(Vec::new());
        }
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        for pattern in patterns(text) {
            let mut found = matching(&db, &pattern)?;
            if !found.is_empty() {
                found.truncate(limit as usize);
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// The outbox rows of a failure or a deployment that are pending or dead, oldest first.
    pub fn rows_of(&self, found: &FoundId) -> Result<Vec<i64>, ReadError> {
        const FAILURE: &str = "SELECT outbox.id FROM failure JOIN outbox ON outbox.failure = failure.id
            WHERE failure_id = ?1 AND failure_key = ?2 AND outbox.state IN ('pending', 'dead')
            ORDER BY outbox.id";
        const DEPLOYMENT: &str =
            "SELECT outbox.id FROM stored_deployment d JOIN outbox ON outbox.deployment = d.id
            WHERE deployment_id = ?1 AND outbox.state IN ('pending', 'dead') ORDER BY outbox.id";
        let db = self.lock();
        Ok(match found.kind {
            FoundKind::Failure => {
                let key = FailureId::parse(&found.id).as_ref().map(failure_key);
                rows(&db, FAILURE, params![found.id, key])?
            }
            FoundKind::Deployment => rows(&db, DEPLOYMENT, params![&found.id])?,
        })
    }
}

/// The rows that a query finds.
fn rows(db: &Db, sql: &str, params: &[Value<'_>]) -> sql::Result<Vec<i64>> {
    db.all(sql, params, |row| row.get(0))
}

/// A backend that is neither configured nor in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown backend {name:?}; known: {}", listed(.known))]
pub struct UnknownBackend {
    name: String,
    known: Vec<String>,
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl Reader {
    /// Error for a name that is neither that of a configured backend nor in the outbox. `None`: the name is known.
    pub fn unknown_backend(
        &self,
        name: &str,
        configured: &[BackendEntry],
    ) -> Result<Option<UnknownBackend>, ReadError> {
        // Each part reads an index, or the small table of lanes.
        const NAMES: &str = "SELECT backend FROM lane
            UNION SELECT backend FROM outbox WHERE due_at_ns IS NOT NULL
            UNION SELECT backend FROM outbox WHERE state = 'dead'";
        // With its states named, the rows of a backend are found in the index.
        const HAS_ROWS: &str = "SELECT EXISTS (SELECT 1 FROM outbox
            WHERE state IN ('pending', 'sent', 'dead', 'superseded', 'discarded') AND backend = ?1)";
        if configured.iter().any(|entry| entry.name == name) {
            return Ok(None);
        }
        let db = self.lock();
        let mut known: BTreeSet<String> = db.all(NAMES, params![], |row| row.get(0))?.into_iter().collect();
        if known.contains(name) || db.only(HAS_ROWS, params![name], |row| row.get(0))? {
            return Ok(None);
        }
        known.extend(configured.iter().map(|entry| entry.name.clone()));
        Ok(Some(UnknownBackend { name: name.to_owned(), known: known.into_iter().collect() }))
    }
}

/// Pattern that ids are compared with, in lower case. Letter case does not matter.
struct Pattern {
    /// Text that the ids begin with.
    beginning: String,
    /// Pattern for `LIKE`.
    like: String,
}

/// Patterns of the id itself, then of its beginning.
fn patterns(text: &str) -> Vec<Pattern> {
    let text = text.to_ascii_lowercase();
    let text = text.as_str();
    let pattern = |beginning: &str, like| Pattern { beginning: beginning.to_owned(), like };
    let cut = ELLIPSES.into_iter().find_map(|left_out| text.split_once(left_out));
    match cut {
        Some((beginning, end)) => {
            vec![pattern(beginning, format!("{}%{}", literal(beginning), literal(end)))]
        }
        None => vec![pattern(text, literal(text)), pattern(text, format!("{}%", literal(text)))],
    }
}

/// Text with the wildcards of `LIKE` escaped.
fn literal(text: &str) -> String {
    let mut literal = String::new();
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal
}

/// Statement that finds failures by their ids, also without the name of the source in front.
fn failures_sql(sources: Sources) -> String {
    let api = SourceName::API;
    let names = sources.with_incidents().map(|source| source.name.as_str()).chain([api.as_str()]);
    let behind = |name: &str| format!(r"OR lower(failure_id) LIKE '{name}:' || ?1 ESCAPE '\' ");
    let or_behind_source: String = names.map(behind).collect();
    // Skip incidents that are known only as merge targets.
    format!(
        r"SELECT failure_id FROM failure
        WHERE (lower(failure_id) LIKE ?1 ESCAPE '\' {or_behind_source})
            AND (state IS NOT NULL OR EXISTS (SELECT 1 FROM failure_event WHERE failure = failure.id))
        ORDER BY failure_id LIMIT ?2"
    )
}

fn failures(db: &Db, pattern: &Pattern, sources: Sources, limit: u32) -> sql::Result<Vec<FoundId>> {
    db.all(&failures_sql(sources), params![pattern.like, limit], |row| {
        Ok(FoundId { id: row.get(0)?, kind: FoundKind::Failure, name: None })
    })
}

fn deployments(db: &Db, pattern: &Pattern, limit: u32) -> sql::Result<Vec<FoundId>> {
    // The range is read from an index, which a pattern alone is not. A tilde sorts after every character of an id.
    const SQL: &str = r"SELECT facts FROM stored_deployment
        WHERE lower(deployment_id) >= ?3 AND lower(deployment_id) < ?3 || '~'
            AND lower(deployment_id) LIKE ?1 ESCAPE '\' ORDER BY deployment_id LIMIT ?2";
    let found = load(db, SQL, params![pattern.like, limit, pattern.beginning])?;
    Ok(found.into_iter().map(FoundId::from).collect())
}

impl From<Deployment> for FoundId {
    fn from(deployment: Deployment) -> Self {
        let name = Some(deployment.display_name());
        Self { id: deployment.id.to_string(), kind: FoundKind::Deployment, name }
    }
}
