//! Leases: the right of one replica to send to a backend. Times are those of the server's clock.

use super::connection::Connection;
use super::replica::Generation;
use crate::store::engine::sql::{Result, params};

/// Takes or renews the lease of a backend for 15 seconds. Returns its epoch; `None` while another replica has it. A lease
/// that had run out begins another epoch, also for the replica that had it. Called in a turn.
pub(in crate::store) fn take(db: &Connection, backend: &str, generation: &Generation) -> Result<Option<i64>> {
    const TAKE: &str = "INSERT INTO lease VALUES (?1, ?2, 1, clock_timestamp() + INTERVAL '15 seconds')
        ON CONFLICT (backend) DO UPDATE SET generation = excluded.generation, until = excluded.until,
            epoch = CASE WHEN lease.generation = excluded.generation AND lease.until >= clock_timestamp()
                THEN lease.epoch ELSE lease.epoch + 1 END
        WHERE lease.generation = excluded.generation OR lease.until < clock_timestamp() RETURNING epoch";
    db.one(TAKE, params![backend, generation.number], |row| row.get(0))
}

/// Ends the lease of a backend, so that another replica can take it at once.
pub(in crate::store) fn release(db: &Connection, backend: &str, generation: &Generation) -> Result<()> {
    const RELEASE: &str = "UPDATE lease SET until = clock_timestamp() WHERE backend = ?1 AND generation = ?2";
    db.run(RELEASE, params![backend, generation.number]).map(drop)
}

/// The epoch of the replica that has the lease of a backend, or had it last. 0 if there was none.
pub(in crate::store) fn epoch(db: &Connection, backend: &str) -> Result<i64> {
    const EPOCH: &str = "SELECT epoch FROM lease WHERE backend = ?1";
    Ok(db.one(EPOCH, params![backend], |row| row.get(0))?.unwrap_or(0))
}

/// The epoch of the lease, if this replica has it now.
pub(in crate::store) fn own_epoch(
    db: &Connection,
    backend: &str,
    generation: &Generation,
) -> Result<Option<i64>> {
    const OWN: &str =
        "SELECT epoch FROM lease WHERE backend = ?1 AND generation = ?2 AND until > clock_timestamp()";
    db.one(OWN, params![backend, generation.number], |row| row.get(0))
}
