//! Opening a database.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::host::Hosts;
use super::migrations::{self, Unusable};
use super::purpose::Purpose;
use crate::store::engine::address::{PostgresAddress, StoreAddress};
use crate::store::engine::open_error::OpenError;
use crate::store::engine::schema::SCHEMA;
use crate::store::engine::sql::Error;

/// Time between two tries.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// A connection for reading.
pub(in crate::store) fn open_to_read(address: &Arc<PostgresAddress>) -> Result<Connection, OpenError> {
    let url = address.read_url.as_ref().unwrap_or(&address.url);
    let db = Connection::new(hosts(address, url)?, Purpose::Read);
    require_schema(address, &db)?;
    Ok(db)
}

/// Fails unless the database has the schema of this version.
pub(super) fn require_schema(address: &Arc<PostgresAddress>, db: &Connection) -> Result<(), OpenError> {
    match retried(|| migrations::schema(db)).map_err(|error| wrong(address, error.to_string()))? {
        Some(SCHEMA) => Ok(()),
        None => Err(OpenError::NoSchema { store: shown(address) }),
        Some(found) => Err(newer(address, found)),
    }
}

/// Migrates the database, and returns its hosts.
pub(super) fn migrated(address: &Arc<PostgresAddress>) -> Result<Arc<Hosts>, OpenError> {
    let hosts = hosts(address, &address.url)?;
    let db = Connection::new(Arc::clone(&hosts), Purpose::Migrate);
    let began = Instant::now();
    loop {
        match migrations::migrate(&db) {
            Ok(()) => return Ok(hosts),
            Err(Unusable::Database(error))
                if error.is_worth_repeating() && began.elapsed() < address.open_limit =>
            {
                db.roll_back();
                thread::sleep(TRY_EVERY);
            }
            Err(Unusable::Database(error)) => return Err(wrong(address, error.to_string())),
            Err(Unusable::Wrong(reason)) => return Err(wrong(address, reason)),
            Err(Unusable::Newer(found)) => return Err(newer(address, found)),
        }
    }
}

pub(super) fn hosts(address: &Arc<PostgresAddress>, url: &str) -> Result<Arc<Hosts>, OpenError> {
    Hosts::of(address, url).map(Arc::new).map_err(|reason| wrong(address, reason))
}

/// Tries again for a moment if the connection was lost.
fn retried<T>(mut read: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let began = Instant::now();
    loop {
        match read() {
            Err(error) if error.is_lost() && began.elapsed() < 4 * TRY_EVERY => thread::sleep(TRY_EVERY),
            done => return done,
        }
    }
}

/// The address for people.
pub(super) fn shown(address: &Arc<PostgresAddress>) -> String {
    StoreAddress::Postgres(Arc::clone(address)).to_string()
}

pub(super) fn wrong(address: &Arc<PostgresAddress>, reason: String) -> OpenError {
    OpenError::Server { store: shown(address), reason }
}

pub(super) fn newer(address: &Arc<PostgresAddress>, found: u32) -> OpenError {
    OpenError::Newer { store: shown(address), found, known: SCHEMA }
}
