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
    let hosts = Hosts::for_reading(address).map_err(|reason| wrong(address, reason))?;
    let db = Connection::new(Arc::new(hosts), Purpose::Read);
    require_schema(address, &db)?;
    Ok(db)
}

/// Fails unless the database has the schema of this version.
pub(super) fn require_schema(address: &Arc<PostgresAddress>, db: &Connection) -> Result<(), OpenError> {
    let began = Instant::now();
    let found = loop {
        let schema = retried(address, || migrations::schema(db));
        let found = schema.map_err(|error| wrong(address, error.to_string()))?;
        // A standby gets what was just migrated a moment later.
        let may_lag = address.read_url.is_some() && found < Some(SCHEMA);
        if !may_lag || began.elapsed() >= address.open_limit {
            break found;
        }
        thread::sleep(TRY_EVERY);
    };
    match found {
        Some(SCHEMA) => Ok(()),
        Some(found) if found > SCHEMA => Err(newer(address, found)),
        Some(_) | None => Err(OpenError::NoSchema { store: shown(address) }),
    }
}

/// Migrates the database, and returns its hosts.
pub(super) fn migrated(address: &Arc<PostgresAddress>) -> Result<Arc<Hosts>, OpenError> {
    let hosts = hosts(address)?;
    let db = Connection::new(Arc::clone(&hosts), Purpose::Migrate);
    let (began, mut is_told) = (Instant::now(), false);
    loop {
        match migrations::migrate(&db) {
            Ok(()) => return Ok(hosts),
            Err(Unusable::Database(error))
                if error.is_worth_repeating()
                    && !error.is_no_login()
                    && began.elapsed() < address.open_limit =>
            {
                if !std::mem::replace(&mut is_told, true) {
                    let seconds = address.open_limit.as_secs();
                    tracing::warn!(
                        "the store cannot be opened yet, and is tried again for {seconds} s: {error}"
                    );
                }
                db.roll_back();
                thread::sleep(TRY_EVERY);
            }
            Err(Unusable::Database(error)) => return Err(wrong(address, error.to_string())),
            Err(Unusable::Wrong(reason)) => return Err(wrong(address, reason)),
            Err(Unusable::Newer(found)) => return Err(newer(address, found)),
        }
    }
}

pub(super) fn hosts(address: &Arc<PostgresAddress>) -> Result<Arc<Hosts>, OpenError> {
    Hosts::of(address).map(Arc::new).map_err(|reason| wrong(address, reason))
}

/// Tries again for a while if there is no connection.
fn retried<T>(address: &PostgresAddress, mut read: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let began = Instant::now();
    loop {
        match read() {
            Err(error) if error.is_lost() && !error.is_no_login() && began.elapsed() < address.open_limit => {
                thread::sleep(TRY_EVERY);
            }
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
