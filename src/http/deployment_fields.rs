//! Fields of a deployment, as JSON and CSV have them.

use serde::Serialize;

use crate::domain::deployment_view::DeploymentView;
use crate::domain::timestamp::Timestamp;

/// Value of a field.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum FieldValue<'a> {
    /// A text that may be missing.
    Text(Option<&'a str>),
    /// Several texts.
    Texts(Vec<&'a str>),
    /// A time that may be missing.
    Time(Option<Timestamp>),
    /// `true` or `false`.
    Flag(bool),
}

/// Function that takes a field from a deployment.
type FieldOf = for<'a> fn(&'a DeploymentView) -> FieldValue<'a>;

/// All fields with their names, in the order in which they are shown. A new field is an entry here.
pub(super) const FIELDS: [(&str, FieldOf); 19] = [
    ("id", |view| FieldValue::Text(Some(view.deployment.id.as_str()))),
    ("source", |view| FieldValue::Text(Some(view.source.as_str()))),
    ("service", |view| FieldValue::Text(Some(&view.deployment.service))),
    ("team", |view| FieldValue::Text(view.deployment.team.as_deref())),
    ("env", |view| FieldValue::Text(Some(&view.deployment.env))),
    ("version", |view| FieldValue::Text(view.deployment.version.as_deref())),
    ("commit_sha", |view| FieldValue::Text(view.deployment.commit_sha.as_deref())),
    ("repository_url", |view| FieldValue::Text(view.deployment.repository_url.as_deref())),
    ("started_at", |view| FieldValue::Time(Some(view.deployment.started_at))),
    ("finished_at", |view| FieldValue::Time(view.finished_at())),
    ("tags", |view| FieldValue::Texts(view.deployment.tags.iter().map(String::as_str).collect())),
    ("failed", |view| FieldValue::Flag(view.has_failed())),
    ("failures", |view| FieldValue::Texts(view.failures.iter().map(String::as_str).collect())),
    // The deployment that fixed its failures.
    ("remediation", |view| {
        FieldValue::Text(view.remediation.as_ref().map(|deployment| deployment.id.as_str()))
    }),
    // The failures that it fixed.
    ("remediates", |view| FieldValue::Texts(view.remediates.iter().map(String::as_str).collect())),
    ("is_rollback", |view| FieldValue::Flag(view.is_rollback)),
    ("pending", |view| FieldValue::Flag(view.is_pending)),
    ("ignored", |view| FieldValue::Flag(view.ignored_because.is_some())),
    ("reason", |view| FieldValue::Text(view.ignored_because.as_deref())),
];
