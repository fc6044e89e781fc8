//! Differences between a failure as it was stored and as it is now.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::changed_failure::FieldChange;
use crate::store::engine::json::from_json;
use crate::store::engine::session::FailureContent;
use crate::store::engine::sql::{self, Db, params};

/// The content of a stored failure.
pub(in crate::store) fn stored(db: &Db, row: i64) -> sql::Result<FailureContent> {
    const SQL: &str = "SELECT evaluated, details, cause, remediation FROM failure WHERE id = ?1";
    db.only(SQL, params![row], |row| {
        Ok(FailureContent {
            failure: row.get(0)?,
            details: row.get(1)?,
            cause: row.get(2)?,
            remediation: row.get(3)?,
        })
    })
}

/// The fields that differ: those of the failure, of its details, and the links to deployments.
pub(in crate::store) fn between(
    db: &Db,
    before: &FailureContent,
    after: &FailureContent,
) -> sql::Result<Vec<FieldChange>> {
    let mut changes = fields(before.failure.as_deref(), after.failure.as_deref())?;
    changes.extend(fields(before.details.as_deref(), after.details.as_deref())?);
    let links =
        [("deployment", before.cause, after.cause), ("remediation", before.remediation, after.remediation)];
    for (field, before, after) in links {
        if before != after {
            let (before, after) = (deployment(db, before)?, deployment(db, after)?);
            changes.push(FieldChange { field: field.to_owned(), before, after });
        }
    }
    Ok(changes)
}

/// The id of the deployment in a row.
fn deployment(db: &Db, row: Option<i64>) -> sql::Result<Value> {
    const ID: &str = "SELECT deployment_id FROM deployment WHERE id = ?1";
    let id: Option<String> = match row {
        Some(row) => db.one(ID, params![row], |columns| columns.get(0))?,
        None => None,
    };
    Ok(id.map_or(Value::Null, Value::from))
}

fn fields(before: Option<&str>, after: Option<&str>) -> sql::Result<Vec<FieldChange>> {
    if before == after {
        return Ok(Vec::new());
    }
    // If the stored text is damaged or absent, every field is new.
    let before: Map<String, Value> = before.and_then(|json| from_json(json).ok()).unwrap_or_default();
    let after: Map<String, Value> = after.map_or_else(|| Ok(Map::new()), from_json)?;
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let field = |name: &String| {
        let of = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
        let (before, after) = (of(&before), of(&after));
        (before != after).then(|| FieldChange { field: name.clone(), before, after })
    };
    Ok(names.into_iter().filter_map(field).collect())
}
