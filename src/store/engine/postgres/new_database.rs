//! A store that is written as a whole to an empty schema of a database.

use std::sync::Arc;

use super::connection::Connection;
use super::migrations::{self, Unusable};
use super::open;
use super::purpose::Purpose;
use crate::store::engine::address::PostgresAddress;
use crate::store::engine::copy_error::CopyError;
use crate::store::engine::sql::{Db, Error, Result, params};

/// Settings of the transaction. It waits for the other store. Rows are read back in the order of their indexes; without this,
/// the server might sort whole tables, with all bodies. Its end does not wait until a standby has everything, which may take
/// long: the other store stays.
const SETTINGS: &str = "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL enable_sort = off;
    SET LOCAL synchronous_commit = local";

/// A schema whose tables are made and filled in one transaction. Unless that is finished, the schema stays empty.
pub(in crate::store) struct NewDatabase {
    db: Db,
    shown: String,
}

impl NewDatabase {
    /// Begins to write a store.
    pub(in crate::store::engine) fn begin(address: &Arc<PostgresAddress>) -> Result<Self, CopyError> {
        let shown = open::shown(address);
        let connection = Connection::new(open::hosts(address)?, Purpose::Migrate);
        match begin(&connection) {
            Ok(true) => {}
            Ok(false) => return Err(CopyError::NotEmpty(shown)),
            Err(Unusable::Wrong(reason)) => return Err(open::wrong(address, reason).into()),
            Err(Unusable::Newer(found)) => return Err(open::newer(address, found).into()),
            Err(Unusable::Database(error)) => return Err(open::wrong(address, error.to_string()).into()),
        }
        Ok(Self { db: Db::Postgres(connection), shown })
    }

    /// The connection.
    pub(in crate::store::engine) const fn db(&self) -> &Db {
        &self.db
    }

    /// Commits everything.
    pub(in crate::store::engine) fn finish(self) -> Result<(), CopyError> {
        self.db.postgres().and_then(|db| db.commit("").map(drop)).map_err(|error| {
            if error.is_unknown() {
                CopyError::InDoubt { target: self.shown.clone(), error }
            } else {
                CopyError::Write { rows: "the end of the copy".to_owned(), error }
            }
        })
    }
}

impl Drop for NewDatabase {
    fn drop(&mut self) {
        // Without a transaction there is nothing to undo. If it fails, the server undoes the transaction.
        self.db.roll_back();
    }
}

/// Makes the tables. `false` if there is one of them already.
fn begin(db: &Connection) -> std::result::Result<bool, Unusable> {
    migrations::require_server(db)?;
    db.begin(migrations::BEGIN_ALONE)?;
    if has_tables(db)? {
        return Ok(false);
    }
    migrations::create(db)?;
    db.batch(SETTINGS)?;
    Ok(true)
}

/// `true` if the schema has a table of a store, whole or not.
fn has_tables(db: &Connection) -> Result<bool> {
    let names = migrations::names_of_tables();
    let found = db.batch(&format!(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND relkind IN ('r', 'p', 'v') AND relname IN ({names}))"
    ))?;
    Ok(found.first().cloned().flatten().ok_or_else(Error::no_row)? == "t")
}

/// The last id that a table has used.
pub(in crate::store::engine) fn last_id(db: &Connection, table: &str) -> Result<Option<i64>> {
    const LAST: &str = "SELECT pg_sequence_last_value(pg_get_serial_sequence(?1, 'id')::regclass)";
    Ok(db.one(LAST, params![table], |row| row.get(0))?.flatten())
}

/// Makes the ids of a table go on behind this one.
pub(in crate::store::engine) fn continue_after(db: &Connection, table: &str, id: i64) -> Result<()> {
    const SET: &str = "SELECT setval(pg_get_serial_sequence(?1, 'id')::regclass, ?2)";
    db.one(SET, params![table, id], |row| row.get::<i64>(0)).map(drop)
}

/// Gathers the statistics of a table that was just filled, so that the first queries have good plans.
pub(in crate::store::engine) fn analyze(db: &Connection, table: &str) -> Result<()> {
    db.batch(&format!("ANALYZE {table}")).map(drop)
}
