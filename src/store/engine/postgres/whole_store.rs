//! A connection that reads one state of a whole store, for a copy.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::purpose::Purpose;
use super::{open, replica, unfolded};
use crate::store::engine::address::PostgresAddress;
use crate::store::engine::copy_error::CopyError;
use crate::store::engine::sql::Error;

/// Begins to read one state, however long that takes, and each table in the order of its index.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_sort = off;
    SET LOCAL idle_in_transaction_session_timeout = 0";
/// Waits until nobody writes, and keeps writers out until the transaction ends: those that store events, those that decide,
/// and daemons that start. The state that is read begins after that.
const ALONE: &str = "SET LOCAL lock_timeout = '5s'; LOCK TABLE event, turn, replica IN SHARE MODE";

/// Longest wait for the events that are stored and not folded, if their number does not fall.
const FOLD_LIMIT: Duration = Duration::from_mins(1);
/// Time between two looks at their number.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Opens a database and begins to read one state. `is_alone`: nobody may write until the connection is closed.
pub(in crate::store::engine) fn open(
    address: &Arc<PostgresAddress>,
    is_alone: bool,
) -> Result<Connection, CopyError> {
    let failed = |error: Error| open::wrong(address, error.to_string());
    let in_use = || CopyError::SourceInUse(open::shown(address));
    let db = Connection::new(open::hosts(address)?, Purpose::Migrate);
    open::require_schema(address, &db)?;
    if is_alone {
        // Asked before the lock, which would disturb living daemons, and again when no other one can start.
        if replica::alive(&db).map_err(failed)? > 0 {
            return Err(in_use());
        }
        wait_until_folded(&db).map_err(failed)?;
    }
    db.begin(BEGIN).map_err(failed)?;
    if is_alone {
        let locked = db.batch(ALONE);
        locked.map_err(|error| if error.is_conflict() { in_use() } else { failed(error).into() })?;
        if replica::alive(&db).map_err(failed)? > 0 {
            return Err(in_use());
        }
    }
    Ok(db)
}

/// Waits while the writer of this process folds what daemons have left.
fn wait_until_folded(db: &Connection) -> Result<(), Error> {
    let (mut fewest, mut since) = (i64::MAX, Instant::now());
    loop {
        let left = unfolded::count(db)?;
        if left < fewest {
            (fewest, since) = (left, Instant::now());
        }
        if left == 0 || since.elapsed() > FOLD_LIMIT {
            return Ok(());
        }
        thread::sleep(LOOK_EVERY);
    }
}
