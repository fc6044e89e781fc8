//! Search for the rows of a page of the outbox.

use crate::store::engine::sql::{self, Db, params};
use crate::store::outbox::rows::RowState;

/// All rows.
pub(super) const IN_ORDER: &str = "SELECT id FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2";
/// The rows of a backend that are in a state.
pub(super) const OF_BACKEND: &str =
    "SELECT id FROM outbox WHERE state = ?1 AND backend = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
/// The next backend that has rows in a state. Searches the index once for each backend, not for each row.
pub(super) const NEXT_BACKEND: &str = "SELECT min(backend) FROM outbox WHERE state = ?1 AND backend > ?2";

/// The first rows after `after` that are in one of these states and belong to a backend, if one is given; at most `most`.
pub(super) fn search(
    db: &Db,
    (states, backend): (&[RowState], Option<&str>),
    after: i64,
    most: i64,
) -> sql::Result<Vec<i64>> {
    if states.len() == RowState::ALL.len() && backend.is_none() {
        return db.all(IN_ORDER, params![after, most], |row| row.get(0));
    }
    let mut found = Vec::new();
    for state in states {
        let backends = match backend {
            Some(backend) => vec![backend.to_owned()],
            None => backends(db, *state)?,
        };
        for backend in backends {
            found.extend(
                db.all(OF_BACKEND, params![state.as_str(), backend, after, most], |row| row.get::<i64>(0))?,
            );
        }
    }
    found.sort_unstable();
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(found)
}

/// Number of the rows in a state, of one backend if it is given.
pub(super) fn count(db: &Db, state: RowState, backend: Option<&str>) -> sql::Result<i64> {
    const COUNT: &str = "SELECT count(*) FROM outbox WHERE state = ?1 AND backend = ?2";
    let backends = match backend {
        Some(backend) => vec![backend.to_owned()],
        None => backends(db, state)?,
    };
    let of_backend =
        |backend: &String| db.only(COUNT, params![state.as_str(), backend], |row| row.get::<i64>(0));
    backends.iter().map(of_backend).sum()
}

/// The backends that have rows in a state.
fn backends(db: &Db, state: RowState) -> sql::Result<Vec<String>> {
    let mut backends: Vec<String> = Vec::new();
    loop {
        // No backend has an empty name.
        let last = backends.last().map_or("", String::as_str);
        match db.only(NEXT_BACKEND, params![state.as_str(), last], |row| row.get(0))? {
            Some(next) => backends.push(next),
            None => return Ok(backends),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::engine::open_store::open_to_write;
    use crate::store::engine::sqlite::plan::assert_searches;

    /// A store with rows of these states and backends, in a folder.
    fn store(folder: &Path, rows: &[(RowState, &str)]) -> Db {
        const INSERT: &str = "INSERT INTO outbox
            (backend, topic, deployment, revision, state, created_at_ns, lane, action, body)
            VALUES (?1, 'deployment', 0, 1, ?2, 0, 'main', 'replace', x'')";
        let db = open_to_write(&folder.join("store.db")).unwrap();
        // There is no deployment.
        db.run("PRAGMA foreign_keys = OFF", params![]).unwrap();
        for (state, backend) in rows {
            db.run(INSERT, params![backend, state.as_str()]).unwrap();
        }
        db
    }

    #[test]
    fn each_statement_searches_an_index_and_sorts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let db = store(folder.path(), &[]);
        for sql in [IN_ORDER, OF_BACKEND, NEXT_BACKEND] {
            assert_searches(&db, sql);
        }
    }

    #[test]
    fn pages_of_each_filter_are_those_of_a_plain_filter() {
        let (states, backends) = (RowState::ALL, ["datadog", "devlake", "http"]);
        let rows: Vec<(RowState, &str)> = (0..60)
            .map(|n: usize| (states[n * n % 7 % states.len()], backends[n % 11 % backends.len()]))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let db = store(folder.path(), &rows);
        let each = states.iter().map(std::slice::from_ref);
        for wanted in each.chain([states, &states[..4]]) {
            for backend in backends.into_iter().chain(["none"]).map(Some).chain([None]) {
                let numbered = rows.iter().zip(1_i64..);
                let expected = numbered.filter(|((of_state, of_backend), _)| {
                    wanted.contains(of_state) && backend.is_none_or(|backend| backend == *of_backend)
                });
                let expected: Vec<i64> = expected.map(|(_, id)| id).collect();
                let (mut listed, mut after) = (Vec::new(), 0);
                loop {
                    let page = search(&db, (wanted, backend), after, 4).unwrap();
                    let Some(last) = page.last() else { break };
                    after = *last;
                    listed.extend(page);
                }
                assert_eq!(listed, expected, "{wanted:?} {backend:?}");
            }
        }
    }
}
