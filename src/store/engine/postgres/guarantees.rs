//! Questions to a server: what its user may do, and what a commit there is worth.

use std::sync::Arc;

use super::connection::Connection;
use super::host::Hosts;
use super::migrations::{self, Unusable};
use super::purpose::Purpose;
use crate::store::engine::address::{PostgresAddress, StoreAddress};
use crate::store::engine::open_error::{OpenError, in_store};
use crate::store::engine::sql::{Error, Result};

/// Guarantees of a server, and rights of its user there.
#[expect(clippy::struct_excessive_bools, reason = "each is an answer of its own")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerGuarantees {
    /// Version of the server.
    pub version: String,
    /// Name of the user.
    pub user: String,
    /// Schema in which the tables are, or would be. `None`: the search path names none that exists.
    pub schema: Option<String>,
    /// `true` if the tables are there.
    pub is_set_up: bool,
    /// `true` if the user may create tables in the schema.
    pub may_create: bool,
    /// Tables of the store that the user may not read and write.
    pub refused_tables: Vec<String>,
    /// `true` if the user owns the tables, which migrations need. `true` if there are none.
    pub owns_tables: bool,
    /// The setting `synchronous_standby_names`. Empty: a commit waits for no standby.
    pub synchronous_standby_names: String,
    /// Number of standbys that are connected.
    pub standbys: u32,
    /// Number of those that a commit may wait for. `None`: the user may not see it.
    pub synchronous_standbys: Option<u32>,
    /// The setting `synchronous_commit` that a session has by default. The program's own sessions have `on`.
    pub synchronous_commit: String,
    /// `false` if the server does not wait for its disk.
    pub fsync: bool,
}

impl ServerGuarantees {
    /// Asks the server, and writes nothing.
    ///
    /// # Errors
    /// The server cannot be used.
    pub fn ask(address: &Arc<PostgresAddress>) -> std::result::Result<Self, OpenError> {
        let store = StoreAddress::Postgres(Arc::clone(address));
        let wrong = |reason| OpenError::Server { store: store.to_string(), reason };
        let hosts = Hosts::of(address).map(Arc::new).map_err(wrong)?;
        let db = Connection::new(hosts, Purpose::Ask);
        match migrations::require_server(&db) {
            Err(Unusable::Wrong(reason)) => return Err(wrong(reason)),
            Err(Unusable::Database(error)) => return Err(in_store(&store)(error)),
            Ok(()) | Err(Unusable::Newer(_)) => {}
        }
        answers(&db).map_err(in_store(&store))
    }

    /// Number of standbys that a commit waits for.
    pub fn awaited_standbys(&self) -> u32 {
        awaited(&self.synchronous_standby_names)
    }
}

/// One statement for each field, in their order. Each answers with one text. TABLES stands for the names of all tables.
const QUESTIONS: [&str; 12] = [
    "SELECT current_setting('server_version')",
    "SELECT CAST(current_user AS TEXT)",
    "SELECT CAST(current_schema() AS TEXT)",
    "SELECT to_regclass('turn') IS NOT NULL",
    "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), FALSE)",
    "SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class
        WHERE relname IN (TABLES)
        AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('turn')) AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
            AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))",
    "SELECT coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('turn')), TRUE)",
    "SELECT current_setting('synchronous_standby_names')",
    // A backup is in the view for a moment, too. Its state is hidden from ordinary users.
    "SELECT count(*) FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup'",
    "SELECT CASE WHEN count(*) = count(sync_state) THEN count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) END
        FROM pg_stat_replication",
    "SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'",
    "SELECT current_setting('fsync')",
];

fn answers(db: &Connection) -> Result<ServerGuarantees> {
    let questions = QUESTIONS.join(";").replace("TABLES", &migrations::names_of_tables());
    let mut answers = db.batch(&questions)?.into_iter();
    let mut next = || answers.next().ok_or_else(Error::no_row);
    Ok(ServerGuarantees {
        version: text(next()?)?,
        user: text(next()?)?,
        schema: next()?,
        is_set_up: text(next()?)? == "t",
        may_create: text(next()?)? == "t",
        refused_tables: next()?.iter().flat_map(|names| names.split(", ").map(str::to_owned)).collect(),
        owns_tables: text(next()?)? == "t",
        synchronous_standby_names: text(next()?)?,
        standbys: number(&text(next()?)?)?,
        synchronous_standbys: next()?.as_deref().map(number).transpose()?,
        synchronous_commit: text(next()?)?,
        fsync: text(next()?)? == "on",
    })
}

fn text(answer: Option<String>) -> Result<String> {
    answer.ok_or_else(Error::no_row)
}

fn number(text: &str) -> Result<u32> {
    text.parse().map_err(|_| Error::damaged(format!("{text} is no number of standbys")))
}

/// Number of standbys that a commit waits for, by `synchronous_standby_names`: `ANY 2 (a, b, c)`, `FIRST 2 (…)`, `2 (…)`, or
/// names of which it waits for one.
fn awaited(names: &str) -> u32 {
    let names = names.trim();
    if names.is_empty() {
        return 0;
    }
    let Some((method, _)) = names.split_once('(') else { return 1 };
    method.split_whitespace().last().and_then(|number| number.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_tells_how_many_standbys_a_commit_waits_for() {
        for (names, expected) in [
            ("", 0),
            (" ", 0),
            ("*", 1),
            ("a, \"b c\"", 1),
            ("ANY 2 (a, b, c)", 2),
            ("first 3(*)", 3),
            ("2 (a, b)", 2),
        ] {
            assert_eq!(awaited(names), expected, "{names:?}");
        }
    }
}
