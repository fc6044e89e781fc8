//! A database that is open for writing: the connection of one lane of this daemon.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::connection::Connection;
use super::open;
use super::purpose::Purpose;
use super::replica::{BEAT_EVERY, Generation, Replica};
use super::silent_sessions;
use super::statistics::Statistics;
use super::turns::{Asks, Turns};
use super::unfolded;
use crate::store::engine::address::{Acknowledgement, PostgresAddress};
use crate::store::engine::backlog::Unfolded;
use crate::store::engine::job::Durability;
use crate::store::engine::open_error::OpenError;
use crate::store::engine::sql::error::ErrorKind;
use crate::store::engine::sql::{Db, Error, Result};

/// Task of a connection that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Role {
    /// Stores events. It waits for no other replica.
    TakesIn,
    /// Decides: folds events, links failures, and puts requests into the outbox. Each transaction waits for its turn.
    Decides,
}

impl Role {
    const fn purpose(self) -> Purpose {
        match self {
            Self::TakesIn => Purpose::Write,
            Self::Decides => Purpose::Decide,
        }
    }
}

/// A database that is open for writing.
pub(in crate::store) struct Server {
    db: Db,
    role: Role,
    acknowledgement: Acknowledgement,
    /// `None` for a command that runs beside the daemons.
    replica: Option<Arc<Replica>>,
    turns: Turns,
    statistics: Statistics,
    /// `true` if the last transaction was committed.
    is_committed: bool,
    /// Number of sessions that the observer knows of.
    sessions: u64,
    /// Time of the last sign of life.
    beat_at: Option<Instant>,
    /// Counts the commits without a clear answer.
    unclear_commits: Arc<AtomicU64>,
}

impl Server {
    /// Opens the database for both roles, and migrates it as needed.
    pub(in crate::store::engine) fn open(
        address: &Arc<PostgresAddress>,
        is_daemon: bool,
    ) -> Result<[Self; 2], OpenError> {
        let hosts = open::migrated(address)?;
        let replica = is_daemon.then(|| Arc::new(Replica::new(address.replica.clone())));
        let unclear_commits = Arc::new(AtomicU64::new(0));
        Ok([Role::TakesIn, Role::Decides].map(|role| Self {
            db: Db::Postgres(Connection::new(Arc::clone(&hosts), role.purpose())),
            role,
            acknowledgement: address.acknowledgement,
            replica: replica.clone(),
            turns: Turns::new(),
            statistics: Statistics::default(),
            is_committed: false,
            sessions: 1,
            beat_at: None,
            unclear_commits: Arc::clone(&unclear_commits),
        }))
    }

    /// The connection.
    pub(in crate::store::engine) const fn db(&self) -> &Db {
        &self.db
    }

    /// The generation of this daemon. `None` for a command, which sends nothing.
    pub(in crate::store::engine) fn generation(&self) -> Option<Generation> {
        self.replica.as_ref().and_then(|replica| replica.generation())
    }

    /// Counter of the commits without a clear answer.
    pub(in crate::store::engine) fn unclear_commits(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.unclear_commits)
    }

    /// Number of sessions that were made since the last call, after earlier ones were lost.
    pub(in crate::store::engine) fn reconnects(&mut self) -> u64 {
        let Db::Postgres(db) = &self.db else { return 0 };
        let new = db.sessions().saturating_sub(self.sessions);
        self.sessions += new;
        new
    }

    /// `true` if each transaction waits for its turn.
    pub(in crate::store::engine) fn waits_for_turns(&self) -> bool {
        self.role == Role::Decides
    }

    /// Begins a transaction. Whoever decides waits for its turn.
    pub(in crate::store::engine) fn begin(
        &mut self,
        durability: Durability,
        fingerprint: Option<&str>,
    ) -> Result<()> {
        self.is_committed = false;
        let db = self.db.postgres()?;
        let needs_standby = self.needs_standby(durability);
        let generation = match (&self.replica, fingerprint) {
            (Some(replica), Some(fingerprint)) if self.role == Role::Decides => {
                Some(replica.register(db, fingerprint)?)
            }
            _ => None,
        };
        let asks = generation.as_ref().map_or(Asks::Command(fingerprint), Asks::Daemon);
        let mut statements = vec!["BEGIN".to_owned()];
        if needs_standby {
            statements.push("SHOW synchronous_standby_names".to_owned());
        }
        if self.role == Role::Decides {
            statements.extend(Turns::statements(asks));
        }
        if durability == Durability::Later {
            statements.push("SET LOCAL synchronous_commit = off".to_owned());
        }
        let answers = db.begin(&statements.join("; ")).map_err(Error::conflict_as_too_slow)?;
        let mut answers = answers.into_iter().skip(1);
        if needs_standby {
            require_standby(first(answers.next()))?;
        }
        if self.role == Role::Decides {
            // The answer of the lock says nothing.
            let mut answers = answers.skip(1);
            let answered = (first(answers.next()).is_some(), first(answers.next()).is_some());
            self.turns.begin(asks, answered, db.sessions())?;
        }
        Ok(())
    }

    /// Commits the transaction. `to_fold` are the events that it has stored.
    pub(in crate::store::engine) fn commit(
        &mut self,
        durability: Durability,
        to_fold: &[Unfolded],
    ) -> Result<()> {
        let db = self.db.postgres()?;
        unfolded::add(db, to_fold)?;
        let needs_standby = self.needs_standby(durability);
        let after = if needs_standby { "SHOW synchronous_standby_names" } else { "" };
        let committed = db.commit(after).and_then(|rows| {
            if needs_standby {
                // Emptied while the commit waited, which ends the wait without a word.
                let names = rows.into_iter().next().flatten();
                require_standby(names).map_err(|error| Error::new(ErrorKind::Unknown, error.to_string()))?;
            }
            Ok(())
        });
        self.is_committed = committed.is_ok();
        if committed.as_ref().is_err_and(Error::is_unknown) {
            self.unclear_commits.fetch_add(1, Ordering::Relaxed);
        }
        committed
    }

    /// Does the regular work when it is time: a sign of life and the end of sessions without a client, or the statistics.
    pub(in crate::store::engine) fn keep_up(&mut self) {
        let Db::Postgres(db) = &self.db else { return };
        match (self.role, &self.replica) {
            // Not while the server is away: that would only be another wait for it.
            (Role::Decides, _) if self.is_committed => self.statistics.keep_up(db),
            (Role::TakesIn, Some(replica)) if self.beat_at.is_none_or(|at| at.elapsed() >= BEAT_EVERY) => {
                // An error of the connection shows at the next commit, too. One of this row must not hold up webhooks.
                if replica.beat(db).and_then(|()| silent_sessions::end(db)).is_err() {
                    db.roll_back();
                }
                self.beat_at = Some(Instant::now());
            }
            _ => {}
        }
    }

    /// Ends the daemon's life.
    pub(in crate::store::engine) fn close(self) {
        let Db::Postgres(db) = &self.db else { return };
        if self.role == Role::Decides
            && let Some(replica) = &self.replica
        {
            // Without it, the others wait until the leases have run out.
            if let Err(error) = replica.leave(db) {
                tracing::warn!(%error, "the other replicas take over in 15 seconds: they could not be told of the end");
            }
        }
    }

    fn needs_standby(&self, durability: Durability) -> bool {
        self.acknowledgement == Acknowledgement::Standby && durability == Durability::Synced
    }
}

/// The first row of an answer.
fn first(answer: Option<Vec<Option<String>>>) -> Option<String> {
    answer.into_iter().flatten().next().flatten()
}

/// Checks the setting `synchronous_standby_names` of the server.
fn require_standby(names: Option<String>) -> Result<()> {
    match names {
        Some(names) if !names.is_empty() => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Refused,
            "the server has no synchronous standby (synchronous_standby_names is empty), and store.durable is \"replicated\"",
        )),
    }
}
