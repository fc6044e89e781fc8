//! The table of failures that differ from what was stored.

use serde_json::Value;

use super::table::{Column, render, width};
use crate::domain::changed_failure::ChangedFailure;

const COLUMNS: [Column; 4] = [
    Column::text("FAILURE").wrapped_to(24),
    Column::text("WHAT"),
    Column::text("BEFORE").cut_to(12),
    Column::text("AFTER").cut_to(12),
];

/// A line for each field that differs. `None` if no failure has changed.
pub(super) fn table<'a>(changed: impl IntoIterator<Item = &'a ChangedFailure>) -> Option<String> {
    let rows = changed.into_iter().flat_map(|changed| {
        changed.changes.iter().map(|change| {
            vec![changed.id.to_string(), change.field.clone(), shown(&change.before), shown(&change.after)]
        })
    });
    let rows: Vec<Vec<String>> = rows.collect();
    (!rows.is_empty()).then(|| render(&COLUMNS, &rows, width()))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
