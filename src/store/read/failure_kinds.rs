//! The kinds of failures that a filter lets through.

use std::collections::HashMap;

use super::failure_filter::FailureFilter;
use crate::domain::failure::FailureState;
use crate::store::engine::sql::{self, Db, Value};

/// A kind of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KindRow {
    /// Its row.
    pub(super) row: i64,
    /// `true` if its failures are open.
    pub(super) is_open: bool,
}

/// The kinds of failures that a filter lets through.
pub(super) struct MatchingKinds<'a> {
    db: &'a Db,
    /// Statement that selects them, without its end.
    select: String,
    /// Values of its parameters.
    values: Vec<&'a str>,
    /// The kinds that were asked for, and whether they match.
    known: HashMap<i64, bool>,
}

impl<'a> MatchingKinds<'a> {
    /// Kinds for a filter. `None` if the filter lets all kinds through.
    pub(super) fn of(db: &'a Db, filter: &'a FailureFilter) -> Option<Self> {
        let by_service = filter.service.as_deref().map(|service| ("id = kind AND service = ?", service));
        let by_others = [
            ("team = ?", filter.team.as_deref()),
            ("severity = ?", filter.severity.as_deref()),
            ("env = ?", filter.env.as_deref()),
            ("state = ?", filter.state.map(FailureState::as_str)),
        ];
        let by_others = by_others.into_iter().filter_map(|(condition, value)| Some((condition, value?)));
        let (conditions, values): (Vec<&str>, Vec<&str>) = by_service.into_iter().chain(by_others).unzip();
        // A service has few kinds. SQLite keeps the order of a CROSS JOIN.
        let tables = match by_service {
            Some(_) => "failure_kind_service CROSS JOIN failure_kind",
            None => "failure_kind",
        };
        let select = format!("SELECT id, state = 'open' FROM {tables} WHERE {}", conditions.join(" AND "));
        (!values.is_empty()).then(|| Self { db, select, values, known: HashMap::new() })
    }

    /// The kinds; not all if there are more than `most`.
    pub(super) fn list(&self, most: usize) -> sql::Result<Vec<KindRow>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.db.all(&self.list_sql(), &self.parameters(most), |row| {
            Ok(KindRow { row: row.get(0)?, is_open: row.get(1)? })
        })
    }

    /// `true` if this kind is one of them.
    pub(super) fn contain(&mut self, kind: i64) -> sql::Result<bool> {
        if let Some(known) = self.known.get(&kind) {
            return Ok(*known);
        }
        let contained = self.db.one(&self.contain_sql(), &self.parameters(kind), |_| Ok(()))?.is_some();
        self.known.insert(kind, contained);
        Ok(contained)
    }

    pub(super) fn list_sql(&self) -> String {
        format!("{} LIMIT ?", self.select)
    }

    pub(super) fn contain_sql(&self) -> String {
        format!("{} AND id = ?", self.select)
    }

    /// Values of the parameters, and a last one.
    fn parameters(&self, last: i64) -> Vec<Value<'_>> {
        let values = self.values.iter().map(|value| Value::Text(value));
        values.chain([Value::Integer(last)]).collect()
    }
}
