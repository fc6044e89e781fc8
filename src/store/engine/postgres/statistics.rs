//! Statistics of tables, which the server needs for good plans. Autovacuum gathers them up to a minute late, or never if it
//! is off. Until then the server uses plans for small tables: a search that should read one row reads a whole index.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::migrations;
use crate::store::engine::sql::Result;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The same after an error.
const LOOK_LATER: Duration = Duration::from_mins(1);

/// Gathers the statistics of tables that grow.
#[derive(Default)]
pub(super) struct Statistics {
    next_look_at: Option<Instant>,
}

impl Statistics {
    /// Gathers the statistics of all tables that have doubled since they were gathered, when it is time to look. Called
    /// outside of transactions.
    pub(super) fn keep_up(&mut self, db: &Connection) {
        if self.next_look_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let pause = match gather(db) {
            Ok(()) => LOOK_EVERY,
            // Without statistics, statements are slower. Their results are the same.
            Err(error) => {
                tracing::debug!(%error, "the statistics of tables could not be gathered");
                db.roll_back();
                LOOK_LATER
            }
        };
        self.next_look_at = Some(Instant::now() + pause);
    }
}

fn gather(db: &Connection) -> Result<()> {
    let grown = db.batch(&format!(
        "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
        AND relname IN ({}) AND pg_has_role(relowner, 'USAGE')
        AND pg_relation_size(oid) > 2 * greatest(relpages, 1) * current_setting('block_size')::bigint",
        migrations::names_of_tables()
    ))?;
    let grown: Vec<String> = grown.into_iter().flatten().collect();
    if grown.is_empty() {
        return Ok(());
    }
    // Statistics need not survive the server. A table that is locked is looked at the next time.
    db.begin("BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL statement_timeout = '2500ms'")?;
    db.batch(&format!("ANALYZE (SKIP_LOCKED) {}", grown.join(", ")))?;
    db.commit("").map(drop)
}
