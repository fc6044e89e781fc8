//! Deployments that differ from what was stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::changed_failure::{FieldChange, add_changes};
use super::deployment::Deployment;
use super::id::DeploymentId;

/// A deployment of a source that differs from the one that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedDeployment {
    /// Id of the deployment.
    pub id: DeploymentId,
    /// Its changes.
    pub changes: Vec<FieldChange>,
}

impl ChangedDeployment {
    /// The differences between a stored deployment, if there is one, and the present one. With each goes the reason why it
    /// does not count.
    pub fn between(before: Option<(&Deployment, Option<&str>)>, after: (&Deployment, Option<&str>)) -> Self {
        let id = after.0.id.clone();
        let before = before.map(|(deployment, reason)| fields(deployment, reason)).unwrap_or_default();
        let change = |(field, after): (&str, Value)| {
            let before = before.get(field).cloned().unwrap_or_default();
            (before != after).then(|| FieldChange { field: field.to_owned(), before, after })
        };
        Self { id, changes: fields(after.0, after.1).into_iter().filter_map(change).collect() }
    }
}

/// Changes that were made one after the other, by the id of the deployment. Several of one deployment are one.
#[derive(Debug, Default)]
pub struct ChangedDeployments(BTreeMap<DeploymentId, Vec<FieldChange>>);

impl Extend<ChangedDeployment> for ChangedDeployments {
    fn extend<T: IntoIterator<Item = ChangedDeployment>>(&mut self, later: T) {
        for ChangedDeployment { id, changes } in later {
            let known = self.0.entry(id).or_default();
            add_changes(known, changes);
            known.sort_by(|a, b| a.field.cmp(&b.field));
        }
    }
}

impl From<ChangedDeployments> for Vec<ChangedDeployment> {
    fn from(ChangedDeployments(all): ChangedDeployments) -> Self {
        let changed = all.into_iter().filter(|(_, changes)| !changes.is_empty());
        changed.map(|(id, changes)| ChangedDeployment { id, changes }).collect()
    }
}

/// The fields, as the deployment's JSON has them. A deployment that does not count has none but the reason.
fn fields(deployment: &Deployment, ignored_because: Option<&str>) -> BTreeMap<&'static str, Value> {
    let is_ignored = ignored_because.is_some();
    let mut fields = BTreeMap::from([("ignored", json!(is_ignored)), ("reason", json!(ignored_because))]);
    let Deployment { service, team, env, version, started_at, finished_at, commit_sha, .. } = deployment;
    let of_counted = [
        ("service", json!(service)),
        ("team", json!(team)),
        ("env", json!(env)),
        ("version", json!(version)),
        ("started_at", json!(started_at)),
        ("finished_at", json!(finished_at)),
        ("commit_sha", json!(commit_sha)),
    ];
    fields.extend(of_counted.map(|(field, value)| (field, if is_ignored { Value::Null } else { value })));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests::deployment;

    #[test]
    fn only_the_fields_of_a_deployment_that_counts_are_compared() {
        let made = deployment("1", "checkout", "10:00", "10:05");
        let fields = |before, after| {
            let changed = ChangedDeployment::between(before, after).changes;
            changed.into_iter().map(|change| change.field).collect::<Vec<_>>()
        };
        assert!(fields(Some((&made, None)), (&made, None)).is_empty());
        let renamed = Deployment { service: "cart".to_owned(), ..made.clone() };
        assert_eq!(fields(Some((&made, None)), (&renamed, None)), ["service"]);
        assert!(fields(Some((&made, Some("x"))), (&renamed, Some("x"))).is_empty());
        let stopped = fields(Some((&made, None)), (&made, Some("x")));
        assert_eq!(stopped.len(), 9, "{stopped:?}");
        assert!(fields(None, (&made, None)).contains(&"ignored".to_owned()));
    }

    #[test]
    fn changes_one_after_the_other_are_one() {
        let [first, second] = ["1", "2"].map(|id| deployment(id, "checkout", "10:00", "10:05"));
        let renamed = Deployment { service: "cart".to_owned(), ..first.clone() };
        let [counts, ignored] = [(&first, None), (&first, Some("x"))];
        let between = |changes: &[(Option<(_, _)>, (_, _))]| {
            let mut all = ChangedDeployments::default();
            all.extend(changes.iter().map(|(before, after)| ChangedDeployment::between(*before, *after)));
            Vec::from(all)
        };
        assert_eq!(between(&[(Some(counts), ignored), (Some(ignored), counts)]), []);
        let steps = [(Some(ignored), counts), (None, (&second, None)), (Some(counts), (&renamed, None))];
        let net = [(Some(ignored), (&renamed, None)), (None, (&second, None))];
        assert_eq!(between(&steps), net.map(|(before, after)| ChangedDeployment::between(before, after)));
    }
}
