//! The tables of a store, with all of their columns, in the order in which they are copied: a row comes after those that it
//! refers to.

/// A table.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Columns of the primary key. Rows are read in its order.
    pub(super) key: &'static [&'static str],
    /// The other columns.
    pub(super) others: &'static [&'static str],
    /// Condition of the rows that are copied.
    pub(super) condition: &'static str,
}

/// Key of a table with numbered rows.
const NUMBER: &[&str] = &["id"];
/// Condition of all rows.
const ALL: &str = "TRUE";
/// Condition of the numbers that mean the same in each store. The engines note in different ways which events are folded, and
/// whose claims are valid. Claims are not copied.
const NOT_OF_THE_ENGINE: &str = "name NOT IN ('folded_up_to', 'epoch')";

const fn all(name: &'static str, key: &'static [&'static str], others: &'static [&'static str]) -> Table {
    Table { name, key, others, condition: ALL }
}

/// Every table that both engines have.
pub(super) const TABLES: [Table; 17] = [
    all(
        "event",
        NUMBER,
        &[
            "source",
            "event_id",
            "event_type",
            "occurred_at_ns",
            "received_at_ns",
            "delivery_id",
            "duplicates",
            "body",
        ],
    ),
    all("source_deployment", NUMBER, &["id_at_source", "history"]),
    all("source_deployment_event", &["source_deployment", "event"], &[]),
    all(
        "stored_deployment",
        NUMBER,
        &[
            "deployment_id",
            "service",
            "team",
            "env",
            "started_at_ns",
            "finished_at_ns",
            "version",
            "commit_sha",
            "version_key",
            "facts",
            "received_at_ns",
            "failed",
            "source",
            "source_deployment",
            "counts",
            "ignored_because",
            "duplicate_of",
        ],
    ),
    all("failure_kind", NUMBER, &["traits", "state", "team", "env", "severity"]),
    all("failure_kind_service", &["service", "kind"], &[]),
    all(
        "failure",
        NUMBER,
        &[
            "failure_id",
            "failure_key",
            "state",
            "started_at_ns",
            "finished_at_ns",
            "created_at_ns",
            "duration_log2",
            "revision",
            "merged_into_key",
            "counts_for",
            "restore_ns",
            "cause",
            "cause_how",
            "remediation",
            "facts",
            "evaluated",
            "details",
            "kind",
        ],
    ),
    all("named_deployment", &["name", "failure"], &[]),
    all("failure_event", &["failure", "event"], &[]),
    all("related_changes", &["failure"], &["changes"]),
    all(
        "outbox",
        NUMBER,
        &[
            "backend",
            "topic",
            "failure",
            "deployment",
            "revision",
            "state",
            "due_at_ns",
            "created_at_ns",
            "repeats",
            "attempts",
            "refusals",
            "in_doubt",
            "unknown",
            "taken",
            "missing_since_ns",
            "missing",
            "failing_since_ns",
            "suspect",
            "last_status",
            "last_error",
            "lane",
            "action",
            "body",
        ],
    ),
    all("attempt", &["outbox", "number"], &["ended_at_ns", "status", "error"]),
    all(
        "lane",
        &["backend", "lane"],
        &[
            "condition",
            "since_ns",
            "not_before_ns",
            "failed_probes",
            "answered_at_ns",
            "status",
            "error",
            "succeeded_at_ns",
        ],
    ),
    all("marked_backend", &["backend"], &[]),
    all("quarantine", NUMBER, &["source", "received_at_ns", "delivery_id", "reason", "body"]),
    all("unread_incident", &["failure_id"], &[]),
    Table { name: "progress", key: &["name"], others: &["value"], condition: NOT_OF_THE_ENGINE },
];

impl Table {
    /// All columns, those of the key first.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.key.iter().chain(self.others).copied()
    }

    /// Number of columns.
    pub(super) const fn width(&self) -> usize {
        self.key.len() + self.others.len()
    }

    /// `true` if its rows are numbered.
    pub(super) fn is_numbered(&self) -> bool {
        self.key == NUMBER
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::store::engine::open_store::open_to_write;
    use crate::store::engine::sql::params;

    /// Columns that are left empty: claims belong to the process that made them.
    const NOT_COPIED: [(&str, &str); 1] = [("outbox", "claimed_by")];

    /// Each column of the schema, with its place in the primary key; 0: it is not in it.
    fn schema() -> BTreeMap<String, BTreeMap<String, i64>> {
        const COLUMNS: &str = "SELECT object.name, field.name, field.pk
            FROM sqlite_schema AS object, pragma_table_info(object.name) AS field
            WHERE object.type = 'table' AND object.name NOT LIKE 'sqlite~_%' ESCAPE '~'";
        let folder = tempfile::tempdir().unwrap();
        let db = open_to_write(&folder.path().join("store.db")).unwrap();
        let mut tables: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        db.each(COLUMNS, params![], |row| {
            tables.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
            Ok(())
        })
        .unwrap();
        tables
    }

    #[test]
    fn every_column_of_the_schema_is_copied() {
        let mut expected = schema();
        for (table, column) in NOT_COPIED {
            assert!(expected.get_mut(table).unwrap().remove(column).is_some());
        }
        let copied = TABLES.iter().map(|table| {
            let place = |column| {
                table.key.iter().position(|key| *key == column).map_or(0, |at| i64::try_from(at).unwrap() + 1)
            };
            let columns = table.columns().map(|column| (column.to_owned(), place(column)));
            (table.name.to_owned(), columns.collect())
        });
        assert_eq!(copied.collect::<BTreeMap<_, BTreeMap<_, _>>>(), expected);
    }

    #[test]
    fn a_table_comes_after_those_that_it_refers_to() {
        const REFERRED: &str = "SELECT \"table\" FROM pragma_foreign_key_list(?1)";
        let folder = tempfile::tempdir().unwrap();
        let db = open_to_write(&folder.path().join("store.db")).unwrap();
        let mut before = BTreeSet::new();
        for table in &TABLES {
            let referred: Vec<String> = db.all(REFERRED, params![table.name], |row| row.get(0)).unwrap();
            for other in referred {
                assert!(before.contains(&*other), "{} refers to {other}", table.name);
            }
            before.insert(table.name);
        }
    }
}
