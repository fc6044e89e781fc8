//! This daemon among the others that share the database.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use crate::store::engine::sql::{Error, Result, params};

/// Time between two signs of life.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(5);

/// A daemon, from its start to its end.
#[derive(Debug)]
pub(in crate::store) struct Replica {
    name: String,
    registered: Mutex<Option<Generation>>,
}

/// A start of a daemon, or a change of its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Generation {
    /// Its number. Later ones have greater numbers.
    pub(in crate::store) number: i64,
    /// Fingerprint of the version and the configuration.
    pub(in crate::store) fingerprint: String,
}

impl Replica {
    /// A daemon that is not registered yet.
    pub(super) fn new(name: String) -> Self {
        Self { name, registered: Mutex::new(None) }
    }

    /// The generation. `None` before it is registered.
    pub(super) fn generation(&self) -> Option<Generation> {
        self.lock().clone()
    }

    /// Registers a generation if this fingerprint is new.
    pub(super) fn register(&self, db: &Connection, fingerprint: &str) -> Result<Generation> {
        // A row says nothing any more a day after its daemon has ended.
        const FORGET: &str = "DELETE FROM replica WHERE alive_until < clock_timestamp() - INTERVAL '1 day'";
        const REGISTER: &str = "INSERT INTO replica (name, fingerprint, alive_until)
            VALUES (?1, ?2, clock_timestamp() + INTERVAL '15 seconds') RETURNING generation";
        // Only the one thread that decides registers, so nobody has to wait for it here.
        let before = self.generation();
        if let Some(known) = before.as_ref().filter(|known| known.fingerprint == fingerprint) {
            return Ok(known.clone());
        }
        db.run(FORGET, params![])?;
        db.begin("START TRANSACTION")?;
        let number = db.one(REGISTER, params![self.name, fingerprint], |row| row.get(0))?;
        let generation =
            Generation { number: number.ok_or_else(Error::no_row)?, fingerprint: fingerprint.to_owned() };
        // The one before does not count any more. Its leases are still those of this daemon.
        if let Some(before) = before {
            const INHERIT: &str = "UPDATE lease SET generation = ?2 WHERE generation = ?1";
            db.run(INHERIT, params![before.number, generation.number])?;
            end(db, before.number)?;
        }
        db.commit("")?;
        self.lock().replace(generation.clone());
        Ok(generation)
    }

    /// Gives a sign of life.
    pub(super) fn beat(&self, db: &Connection) -> Result<()> {
        let Some(generation) = self.generation() else { return Ok(()) };
        // It need not survive the server.
        db.begin("START TRANSACTION; SET LOCAL lock_timeout = '100ms'; SET LOCAL synchronous_commit = off")?;
        let is_known = beat(db, &generation)?;
        db.commit("")?;
        if !is_known {
            // Forgotten, because this daemon was frozen for more than a day. The next turn registers it again.
            self.lock().take_if(|registered| registered.number == generation.number);
        }
        Ok(())
    }

    /// Says that this daemon ends, so that others need not wait for it.
    pub(super) fn leave(&self, db: &Connection) -> Result<()> {
        const RELEASE: &str = "UPDATE lease SET until = clock_timestamp() WHERE generation = ?1";
        match self.lock().take() {
            Some(generation) => {
                db.run(RELEASE, params![generation.number])?;
                end(db, generation.number)
            }
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Generation>> {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives a sign of life, in the open transaction. `false` if this daemon is not registered any more.
pub(in crate::store) fn beat(db: &Connection, generation: &Generation) -> Result<bool> {
    const BEAT: &str =
        "UPDATE replica SET alive_until = clock_timestamp() + INTERVAL '15 seconds' WHERE generation = ?1";
    Ok(db.run(BEAT, params![generation.number])? > 0)
}

/// Number of daemons that live. One that has just changed its configuration counts once.
pub(in crate::store) fn alive(db: &Connection) -> Result<i64> {
    const ALIVE: &str = "SELECT count(*) FROM replica WHERE alive_until > clock_timestamp()";
    Ok(db.one(ALIVE, params![], |row| row.get(0))?.unwrap_or(0))
}

fn end(db: &Connection, generation: i64) -> Result<()> {
    const END: &str = "UPDATE replica SET alive_until = clock_timestamp() WHERE generation = ?1";
    db.run(END, params![generation]).map(drop)
}
