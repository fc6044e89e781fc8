//! Queries of a store, each named after its result. Only this module and `store_edit.rs` name tables, so that a change
//! of the schema affects no other test.

use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;
use std::path::Path;

use crate::engine::{Link, Value};
use crate::harness::eventually;

mod after_power_loss;
mod outbox;

pub(crate) use after_power_loss::Found;
pub(crate) use outbox::Revision;

/// A connection to a store, whose daemon may be running.
pub(crate) struct Probe {
    db: Link,
}

impl Probe {
    pub(crate) fn open(store: &Path) -> Self {
        Self { db: Link::to(store) }
    }

    /// `true` if a table contains this text, alone or within another one.
    pub(crate) fn contains(&self, text: &str) -> bool {
        let columns = self.db.choose(
            "SELECT object.name, field.name FROM sqlite_schema AS object, pragma_table_info(object.name) AS field
                WHERE object.type = 'table'",
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns
                WHERE table_schema = current_schema() AND data_type IN ('text', 'bytea')",
        );
        let bytes = text.as_bytes();
        let is_in = |value: &Value| match value {
            Value::Text(value) => value.contains(text),
            Value::Bytes(value) => value.windows(bytes.len()).any(|part| part == bytes),
            Value::Integer(_) | Value::Null => false,
        };
        self.db.rows(columns, &[]).iter().any(|column| {
            let sql = format!("SELECT \"{}\" FROM \"{}\"", column[1].text(), column[0].text());
            self.db.rows(&sql, &[]).iter().flatten().any(is_in)
        })
    }

    /// Waits until the store meets a condition, while another process changes it.
    #[track_caller]
    pub(crate) fn until(&self, is_met: impl Fn(&Self) -> bool) -> impl Future<Output = ()> {
        let wanted = self.as_wanted_at(Location::caller());
        async move { eventually(wanted, async || is_met(self).then_some(())).await }
    }

    /// Text that names the place of a wait, and the present state of the store.
    pub(crate) fn as_wanted_at(&self, at: &'static Location<'static>) -> impl fmt::Display {
        Wanted { at, probe: self }
    }

    /// The only number that a query returns.
    fn number(&self, sql: &str, parameters: &[Value]) -> i64 {
        self.db.value(sql, parameters).integer()
    }

    /// Checks the database file for damage. A server of PostgreSQL has more than the store, and nothing is checked.
    pub(crate) fn assert_intact(&self) {
        let found = self.db.value(self.db.choose("PRAGMA integrity_check", "SELECT 'ok'"), &[]);
        assert_eq!(found.text(), "ok");
    }
}

/// Events and the quarantine.
impl Probe {
    /// Number of pages of the database, those in the WAL included.
    pub(crate) fn pages(&self) -> i64 {
        self.number("PRAGMA page_count", &[])
    }

    /// Number of free pages in the database.
    pub(crate) fn free_pages(&self) -> i64 {
        self.number("PRAGMA freelist_count", &[])
    }

    pub(crate) fn events(&self) -> i64 {
        self.number("SELECT count(*) FROM event", &[])
    }

    pub(crate) fn events_of_type(&self, event_type: &str) -> i64 {
        self.number("SELECT count(*) FROM event WHERE event_type = ?1", &[event_type.into()])
    }

    /// Number of duplicates of events of this type.
    pub(crate) fn duplicates_of_type(&self, event_type: &str) -> i64 {
        self.number(
            "SELECT CAST(sum(duplicates) AS BIGINT) FROM event WHERE event_type = ?1",
            &[event_type.into()],
        )
    }

    /// Time at which the last event arrived.
    pub(crate) fn last_received_at_ns(&self) -> i64 {
        self.number("SELECT max(received_at_ns) FROM event", &[])
    }

    pub(crate) fn event_ids(&self) -> BTreeSet<String> {
        self.event_bodies().into_iter().map(|(id, _)| id).collect()
    }

    /// Each event's id and body.
    pub(crate) fn event_bodies(&self) -> Vec<(String, Vec<u8>)> {
        let rows = self.db.rows("SELECT event_id, body FROM event", &[]);
        rows.iter().map(|row| (row[0].text().to_owned(), row[1].bytes().to_owned())).collect()
    }

    pub(crate) fn quarantined(&self) -> i64 {
        self.number("SELECT count(*) FROM quarantine", &[])
    }

    /// Number of quarantined bodies whose reason contains this text.
    pub(crate) fn quarantined_because(&self, text: &str) -> i64 {
        self.number("SELECT count(*) FROM quarantine WHERE replace(reason, ?1, '') <> reason", &[text.into()])
    }

    pub(crate) fn last_quarantine_id(&self) -> i64 {
        self.number("SELECT max(id) FROM quarantine", &[])
    }
}

/// Failures and deployments.
impl Probe {
    /// Number of events that are not folded yet, including those about no incident.
    pub(crate) fn unfolded(&self) -> i64 {
        let sql = "SELECT coalesce((SELECT max(id) FROM event), 0)
            - coalesce((SELECT value FROM progress WHERE name = 'folded_up_to'), 0)";
        self.number(self.db.choose(sql, "SELECT count(*) FROM unfolded"), &[])
    }

    pub(crate) fn is_folded(&self) -> bool {
        self.unfolded() <= 0
    }

    pub(crate) fn failures(&self) -> i64 {
        self.number("SELECT count(*) FROM failure", &[])
    }

    /// Number of failures whose related changes are known, or known to be unknown.
    pub(crate) fn asked_for_changes(&self) -> i64 {
        self.number("SELECT count(*) FROM related_changes", &[])
    }

    /// Length of the longest traits of a failure.
    pub(crate) fn longest_traits(&self) -> i64 {
        self.number("SELECT max(length(traits)) FROM failure_kind", &[])
    }

    /// Number of events that belong to a failure.
    pub(crate) fn events_of_failures(&self) -> i64 {
        self.number("SELECT count(*) FROM failure_event", &[])
    }

    /// Number of events whose body is still kept.
    pub(crate) fn bodies(&self) -> i64 {
        self.number("SELECT count(*) FROM event WHERE body IS NOT NULL", &[])
    }

    pub(crate) fn deployments(&self) -> i64 {
        self.number("SELECT count(*) FROM deployment", &[])
    }

    pub(crate) fn deployments_of_version(&self, version: &str) -> i64 {
        self.number("SELECT count(*) FROM deployment WHERE version = ?1", &[version.into()])
    }

    pub(crate) fn commit_of_deployment(&self, id: &str) -> Option<String> {
        let sql = "SELECT commit_sha FROM deployment WHERE deployment_id = ?1";
        match self.db.value(sql, &[id.into()]) {
            Value::Null => None,
            commit => Some(commit.text().to_owned()),
        }
    }
}

/// Links to deployments.
impl Probe {
    /// Number of failures that are linked to a deployment.
    pub(crate) fn failures_with_cause(&self) -> i64 {
        self.number("SELECT count(*) FROM failure WHERE cause IS NOT NULL", &[])
    }
}

/// Part of the message of a wait in vain: the line that waits, and the present state of the store.
struct Wanted<'a> {
    at: &'static Location<'static>,
    probe: &'a Probe,
}

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (at, probe) = (self.at, self.probe);
        let (events, unfolded) = (probe.events(), probe.unfolded());
        write!(f, "the condition at {at}; there are {events} events, {unfolded} of them not folded; ")?;
        let (pending, sent, dead) = (probe.pending(), probe.sent(), probe.dead());
        write!(f, "{pending} rows pending, {sent} sent, {dead} dead, {} superseded", probe.superseded())
    }
}
