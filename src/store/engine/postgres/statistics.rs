//! Statistics of tables, which the server needs for good plans. Autovacuum gathers them up to a minute late, or never if it
//! is off. Until then the server uses plans for small tables: a search that should read one row reads a whole index.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::migrations;
use crate::store::engine::sql::Result;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The same after an error. Doubled with each further one.
const LOOK_LATER: Duration = Duration::from_mins(1);
/// Largest number of times that it is doubled.
const MOST_DOUBLED: u32 = 6;

/// Gathers the statistics of tables that grow.
#[derive(Default)]
pub(super) struct Statistics {
    next_look_at: Option<Instant>,
    /// Number of errors since the last look without one.
    errors: u32,
}

impl Statistics {
    /// Gathers the statistics of all tables that have doubled since they were gathered, when it is time to look. Called
    /// outside of transactions.
    pub(super) fn keep_up(&mut self, db: &Connection) {
        if self.next_look_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let pause = match gather(db) {
            Ok(()) => {
                self.errors = 0;
                LOOK_EVERY
            }
            // Without statistics, statements are slower. Their results are the same.
            Err(error) => {
                tracing::debug!(%error, "the statistics of tables could not be gathered");
                db.roll_back();
                let pause = LOOK_LATER * (1 << self.errors.min(MOST_DOUBLED));
                self.errors += 1;
                pause
            }
        };
        self.next_look_at = Some(Instant::now() + pause);
    }
}

fn gather(db: &Connection) -> Result<()> {
    let grown = db.batch(&format!(
        "SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
        AND relname IN ({}) AND pg_has_role(relowner, 'USAGE')
        AND pg_relation_size(oid) > 2 * greatest(relpages, 1) * current_setting('block_size')::bigint
        ORDER BY pg_relation_size(oid)",
        migrations::names_of_tables()
    ))?;
    // Each alone, and the smallest first, so that one that takes too long keeps no other one from its statistics.
    for table in grown.into_iter().flatten() {
        // Statistics need not survive the server. A table that is locked is looked at the next time.
        db.begin("BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL statement_timeout = '2500ms'")?;
        db.batch(&format!("ANALYZE (SKIP_LOCKED) {table}"))?;
        db.commit("")?;
    }
    Ok(())
}
