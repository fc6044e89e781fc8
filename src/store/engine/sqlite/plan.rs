//! Plans of statements, for tests: how SQLite reads the tables.

use crate::store::engine::sql::Db;

/// Plan of a statement, one step a line.
pub(in crate::store) fn plan(db: &Db, sql: &str) -> String {
    let Db::Sqlite(db) = db else { unreachable!("only SQLite has these plans") };
    db.plan(sql).unwrap().join("\n")
}

/// Fails unless the statement searches every table that it reads, and sorts nothing.
pub(in crate::store) fn assert_searches(db: &Db, sql: &str) {
    let plan = plan(db, sql);
    let is_search = |step: &str| step.starts_with("SEARCH") && step.contains("USING");
    assert!(!plan.is_empty() && plan.lines().all(is_search), "{sql}\n{plan}");
}
