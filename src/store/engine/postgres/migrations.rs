//! Migrations of a database of PostgreSQL.

use super::connection::Connection;
use crate::store::engine::schema::SCHEMA;
use crate::store::engine::sql::{Error, Result};

/// The schema, which is that of SQLite with the same number, and the tables that only replicas need. PostgreSQL was added
/// with schema 3, so there is no earlier one.
const SCHEMA_3: [&str; 2] = [
    include_str!("../migrations/postgres/0003_schema.sql"),
    include_str!("../migrations/postgres/0003_replicas.sql"),
];
const _: () = assert!(SCHEMA == 3, "a later schema needs a migration of its own");

/// The oldest version of the server that has everything that is used.
const OLDEST_SERVER: u32 = 15;

/// Begins a transaction that no other replica migrates in.
pub(super) const BEGIN_ALONE: &str =
    "BEGIN; SELECT pg_advisory_xact_lock(hashtext('pagerduty-dora ' || current_schema()))";

/// Reason why the database cannot be used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// The database has a newer schema.
    Newer(u32),
    /// The server or the database is of a wrong kind.
    Wrong(String),
    /// An error of the server.
    Database(Error),
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// Brings the database to the newest schema. Replicas that start at the same time wait for each other.
pub(super) fn migrate(db: &Connection) -> std::result::Result<(), Unusable> {
    require_server(db)?;
    db.begin(BEGIN_ALONE)?;
    match schema(db)? {
        None => {
            create(db)?;
            db.commit("")?;
            tracing::info!(
                "created a new, empty store. If one with your data should be there, stop the program, and look for it in \
                 another database or schema"
            );
            Ok(())
        }
        Some(found) => {
            db.roll_back();
            if found == SCHEMA { Ok(()) } else { Err(Unusable::Newer(found)) }
        }
    }
}

/// Makes the tables, in the open transaction.
pub(super) fn create(db: &Connection) -> Result<()> {
    SCHEMA_3.into_iter().try_for_each(|sql| db.batch(sql).map(drop))
}

/// Names of all tables, as literals in a list.
pub(super) fn names_of_tables() -> String {
    let lines = SCHEMA_3.into_iter().flat_map(str::lines);
    let names = lines.filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split_whitespace().next());
    names.map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// The schema of the database. `None` if it has none.
pub(super) fn schema(db: &Connection) -> Result<Option<u32>> {
    let has_table = db.batch("SELECT to_regclass('turn') IS NOT NULL")?;
    if first(&has_table)? != "t" {
        return Ok(None);
    }
    let schema = db.batch("SELECT schema FROM turn")?;
    number(&first(&schema)?).map(Some)
}

/// Fails if the server is too old, or the database cannot hold all texts.
pub(super) fn require_server(db: &Connection) -> std::result::Result<(), Unusable> {
    let shown = db.batch("SHOW server_version_num; SHOW server_encoding")?;
    let version = number(&first(&shown)?)?;
    if version < OLDEST_SERVER * 10_000 {
        let major = version / 10_000;
        return Err(Unusable::Wrong(format!(
            "the server is PostgreSQL {major}, and {OLDEST_SERVER} or later is needed"
        )));
    }
    match shown.get(1).cloned().flatten() {
        Some(encoding) if encoding == "UTF8" => Ok(()),
        encoding => Err(Unusable::Wrong(format!(
            "the database has the encoding {}: make one with ENCODING 'UTF8'",
            encoding.unwrap_or_default()
        ))),
    }
}

fn first(rows: &[Option<String>]) -> Result<String> {
    rows.first().cloned().flatten().ok_or_else(Error::no_row)
}

fn number(text: &str) -> Result<u32> {
    text.parse().map_err(|_| Error::damaged(format!("{text} is no number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_those_of_both_files() {
        let names = names_of_tables();
        assert!(names.starts_with("'event', 'source_deployment', ") && names.ends_with("'lease'"), "{names}");
    }
}
