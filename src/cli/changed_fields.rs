//! The tables of failures and deployments that differ from what was stored.

use serde_json::Value;

use super::table::{Column, render, width};
use crate::domain::changed_deployment::ChangedDeployment;
use crate::domain::changed_failure::{ChangedFailure, FieldChange};

/// A line for each field of a failure that differs. `None` if no failure has changed.
pub(super) fn of_failures<'a>(changed: impl IntoIterator<Item = &'a ChangedFailure>) -> Option<String> {
    let all = changed.into_iter().map(|changed| (changed.id.to_string(), changed.changes.as_slice()));
    table("FAILURE", all)
}

/// A line for each field of a deployment that differs. `None` if no deployment has changed.
pub(super) fn of_deployments(changed: &[ChangedDeployment]) -> Option<String> {
    table("DEPLOYMENT", changed.iter().map(|changed| (changed.id.to_string(), changed.changes.as_slice())))
}

fn table<'a>(
    title: &'static str,
    changed: impl Iterator<Item = (String, &'a [FieldChange])>,
) -> Option<String> {
    let columns = [
        Column::text(title).wrapped_to(24),
        Column::text("WHAT"),
        Column::text("BEFORE").cut_to(12),
        Column::text("AFTER").cut_to(12),
    ];
    let rows = changed.flat_map(|(id, changes)| {
        let row = move |change: &FieldChange| {
            vec![id.clone(), change.field.clone(), shown(&change.before), shown(&change.after)]
        };
        changes.iter().map(row)
    });
    let rows: Vec<Vec<String>> = rows.collect();
    (!rows.is_empty()).then(|| render(&columns, &rows, width()))
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
