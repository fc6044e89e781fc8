//! Questions to a store, each named after its answer. The tests know tables here and in `store_edit.rs` alone, so that
//! a change of the schema touches nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;
use std::path::Path;

use rusqlite::{Connection, Params};

use crate::harness::eventually;

mod after_power_loss;
mod outbox;

pub(crate) use after_power_loss::Found;
pub(crate) use outbox::Revision;

/// A store as seen from outside, while its daemon runs or after it has ended.
pub(crate) struct Probe {
    db: Connection,
}

impl Probe {
    pub(crate) fn open(store: &Path) -> Self {
        Self { db: Connection::open(store).unwrap() }
    }

    /// Waits until the store, which another process changes, meets a condition.
    #[track_caller]
    pub(crate) fn until(&self, is_met: impl Fn(&Self) -> bool) -> impl Future<Output = ()> {
        let wanted = self.as_wanted_at(Location::caller());
        async move { eventually(wanted, async || is_met(self).then_some(())).await }
    }

    /// Words for the condition that is waited for at this place, with what the store has instead.
    pub(crate) fn as_wanted_at(&self, at: &'static Location<'static>) -> impl fmt::Display {
        Wanted { at, probe: self }
    }

    /// A number, which is the only column of the only row of a query.
    fn number(&self, sql: &str, parameters: impl Params) -> i64 {
        self.db.query_row(sql, parameters, |row| row.get(0)).unwrap()
    }

    /// Checks the file itself for damage.
    pub(crate) fn assert_intact(&self) {
        let found: String = self.db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(found, "ok");
    }
}

/// Events and the quarantine.
impl Probe {
    pub(crate) fn events(&self) -> i64 {
        self.number("SELECT count(*) FROM event", [])
    }

    pub(crate) fn events_of_type(&self, event_type: &str) -> i64 {
        self.number("SELECT count(*) FROM event WHERE event_type = ?1", [event_type])
    }

    /// Deliveries of events of this type that were there before.
    pub(crate) fn duplicates_of_type(&self, event_type: &str) -> i64 {
        self.number("SELECT sum(duplicates) FROM event WHERE event_type = ?1", [event_type])
    }

    /// Time at which the last event came.
    pub(crate) fn last_received_at_ns(&self) -> i64 {
        self.number("SELECT max(received_at_ns) FROM event", [])
    }

    pub(crate) fn event_ids(&self) -> BTreeSet<String> {
        self.event_bodies().into_iter().map(|(id, _)| id).collect()
    }

    /// Each event's id and body.
    pub(crate) fn event_bodies(&self) -> Vec<(String, Vec<u8>)> {
        let mut statement = self.db.prepare("SELECT event_id, body FROM event").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub(crate) fn quarantined(&self) -> i64 {
        self.number("SELECT count(*) FROM quarantine", [])
    }

    /// Quarantined bodies whose reason contains this text.
    pub(crate) fn quarantined_because(&self, text: &str) -> i64 {
        self.number("SELECT count(*) FROM quarantine WHERE instr(reason, ?1) > 0", [text])
    }

    pub(crate) fn last_quarantine_id(&self) -> i64 {
        self.number("SELECT max(id) FROM quarantine", [])
    }
}

/// Failures and deployments.
impl Probe {
    /// Events that are not folded into their failures yet, with those that are about no incident.
    pub(crate) fn unfolded(&self) -> i64 {
        let sql = "SELECT coalesce((SELECT max(id) FROM event), 0)
            - coalesce((SELECT value FROM progress WHERE name = 'folded_up_to'), 0)";
        self.number(sql, [])
    }

    pub(crate) fn is_folded(&self) -> bool {
        self.unfolded() <= 0
    }

    pub(crate) fn failures(&self) -> i64 {
        self.number("SELECT count(*) FROM failure", [])
    }

    /// Events that belong to a failure.
    pub(crate) fn events_of_failures(&self) -> i64 {
        self.number("SELECT count(*) FROM failure_event", [])
    }

    pub(crate) fn deployments(&self) -> i64 {
        self.number("SELECT count(*) FROM deployment", [])
    }

    pub(crate) fn deployments_of_version(&self, version: &str) -> i64 {
        self.number("SELECT count(*) FROM deployment WHERE version = ?1", [version])
    }

    pub(crate) fn commit_of_deployment(&self, id: &str) -> Option<String> {
        let sql = "SELECT commit_sha FROM deployment WHERE deployment_id = ?1";
        self.db.query_row(sql, [id], |row| row.get(0)).unwrap()
    }
}

/// Links to deployments.
impl Probe {
    /// Failures that are linked to a deployment.
    pub(crate) fn failures_with_cause(&self) -> i64 {
        self.number("SELECT count(*) FROM failure WHERE cause IS NOT NULL", [])
    }
}

/// Part of the message of a test that waits in vain: the line that waits, and what the store has instead.
struct Wanted<'a> {
    at: &'static Location<'static>,
    probe: &'a Probe,
}

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (at, probe) = (self.at, self.probe);
        let (events, unfolded) = (probe.events(), probe.unfolded());
        write!(
            f,
            "the store to be as {at} has it; there are {events} events, {unfolded} of them not folded; "
        )?;
        let (pending, sent, dead) = (probe.pending(), probe.sent(), probe.dead());
        write!(f, "{pending} rows pending, {sent} sent, {dead} dead, {} superseded", probe.superseded())
    }
}
