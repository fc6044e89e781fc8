//! Numbers that the store keeps about itself (table `progress`).

use super::sql::{self, Db, params};
use crate::domain::text_limits::fitting_name;

/// Events up to this one are folded into their failures.
pub(in crate::store) const FOLDED_UP_TO: &str = "folded_up_to";
/// Events up to this one are past their retention and have no body any more.
pub(in crate::store) const FORGOTTEN_UP_TO: &str = "forgotten_up_to";
/// Time up to which the API of the source was read.
pub(in crate::store) const RECONCILED_UP_TO: &str = "reconciled_up_to_ns";
/// Begin of the backfill that has not ended. Incidents that were created from then on, and before
/// [`BACKFILLED_UP_TO`], are read.
pub(in crate::store) const BACKFILLED_SINCE: &str = "backfilled_since_ns";
/// Time up to which that backfill has come. 0: no backfill is unfinished.
pub(in crate::store) const BACKFILLED_UP_TO: &str = "backfilled_up_to_ns";
/// Name of the begin of the import from a backend that has not ended. What started from then on, and before
/// [`imported_up_to`], is read.
pub(in crate::store) fn imported_since(backend: &str) -> String {
    format!("imported_since_ns:{backend}")
}
/// Name of the time up to which that import has come. 0: no import is unfinished.
pub(in crate::store) fn imported_up_to(backend: &str) -> String {
    format!("imported_up_to_ns:{backend}")
}
/// Number of processes that have opened the store to write.
const EPOCH: &str = "epoch";
/// Time of the last write that only proves that the store can be written.
pub(in crate::store) const WRITTEN_AT: &str = "written_at_ns";

/// Name of the time up to which the deployments of a repository were read from its source's API.
pub(in crate::store) fn read_up_to(repository: &str) -> String {
    format!("deployments_read_up_to_ns:{}", fitting_name(&repository.to_lowercase()))
}

/// A number; 0 until it is first set.
pub(in crate::store) fn get(db: &Db, name: &str) -> sql::Result<i64> {
    let found = db.one("SELECT value FROM progress WHERE name = ?1", params![name], |row| row.get(0))?;
    Ok(found.unwrap_or(0))
}

/// Sets a number.
pub(in crate::store) fn set(db: &Db, name: &str, value: i64) -> sql::Result<()> {
    const SQL: &str = "INSERT INTO progress VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    db.run(SQL, params![name, value]).map(drop)
}

/// Begins an epoch, and returns its number. Claims that belong to earlier epochs are no longer valid.
pub(in crate::store) fn begin_epoch(db: &Db) -> sql::Result<i64> {
    let epoch = get(db, EPOCH)? + 1;
    set(db, EPOCH, epoch)?;
    Ok(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text_limits::LONGEST_NAME;

    #[test]
    fn the_name_of_a_time_is_short_whatever_the_address_of_the_repository() {
        let known = read_up_to("https://github.com/Acme/Shop");
        assert_eq!(known, "deployments_read_up_to_ns:https://github.com/acme/shop");
        let long = ["x", "y"].map(|end| read_up_to(&("https://example.com/".repeat(100) + end)));
        assert!(long[0] != long[1] && long[0].len() < LONGEST_NAME + 50, "{long:?}");
    }
}
