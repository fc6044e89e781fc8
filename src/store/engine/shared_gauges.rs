//! Gauges of a store that several daemons share.

use super::postgres::{replica, unfolded};
use super::sql::{self, Db};

/// Gauges of a store that several daemons share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedGauges {
    /// Daemons that live.
    pub replicas: i64,
    /// Events that are stored and not folded yet.
    pub unfolded: i64,
}

impl SharedGauges {
    /// Reads the gauges. `None` for a file.
    pub(in crate::store) fn of(db: &Db) -> sql::Result<Option<Self>> {
        match db {
            Db::Sqlite(_) => Ok(None),
            Db::Postgres(db) => {
                Ok(Some(Self { replicas: replica::alive(db)?, unfolded: unfolded::count(db)? }))
            }
        }
    }
}
