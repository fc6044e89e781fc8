//! Plans of statements, for tests: how SQLite reads the tables.

use rusqlite::Connection;
use rusqlite::types::Null;

/// Plan of a statement, one step a line.
fn plan(db: &Connection, sql: &str) -> String {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = vec![Null; statement.parameter_count()];
    let rows =
        statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3)).unwrap();
    rows.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
}

/// Fails unless the statement searches every table that it reads, and sorts nothing.
pub(super) fn assert_searches(db: &Connection, sql: &str) {
    let plan = plan(db, sql);
    let is_search = |step: &str| step.starts_with("SEARCH") && step.contains("USING");
    assert!(!plan.is_empty() && plan.lines().all(is_search), "{sql}\n{plan}");
}
