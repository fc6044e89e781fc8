//! Marks of deployments at Datadog: `PATCH /api/v2/dora/deployments/{id}` marks one as a change failure, or removes the
//! mark. `PATCH /api/v2/dora/deployments` does the same to the deployment of a version of a service to an env. If several
//! match there, Datadog takes the one that finished last.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::body;
use super::datadog_client::Client;
use super::protocol::{Attempt, Reply};
use crate::config::BackendUrl;
use crate::domain::forwarding::{Action, PreparedRequest};
use crate::domain::id::DeploymentId;
use crate::domain::mark::{Mark, MarkRequest, MarkTarget, Remediation};
use crate::domain::retry::Verdict;

/// Shortest wait after a mark that is answered 404. Datadog knows a new deployment only some 90 seconds after it
/// accepted it, and answers 404 until then.
const UNKNOWN_WAIT: Duration = Duration::from_mins(2);
/// Most attempts at a mark that is answered 404. They take about an hour or more. A deployment that Datadog does not
/// know by then never reached it, or has another name there.
const MOST_ATTEMPTS_AT_UNKNOWN: u32 = 30;

/// Sends marks to Datadog.
pub(super) struct DatadogMarks {
    /// Datadog has the plural in this path only.
    url: reqwest::Url,
    client: Client,
}

impl DatadogMarks {
    pub(super) fn new(base: &BackendUrl, client: Client) -> Self {
        Self { url: base.join("/api/v2/dora/deployments"), client }
    }

    /// Sends the requests of a row in order, from the first one that Datadog does not have.
    pub(super) async fn send(&self, attempt: Attempt) -> Reply {
        let Attempt { prepared, attempts, mut taken, now, .. } = attempt;
        let lines: Vec<&[u8]> = prepared.body.split(|byte| *byte == b'\n').collect();
        let mut reply = Reply::nothing_to_send();
        for (at, line) in lines.iter().enumerate().skip(taken as usize) {
            let Ok(patch) = serde_json::from_slice::<Patch>(line) else { return Reply::unreadable() };
            let answer = self.client.patch(&self.url, patch.data.id.as_deref(), line.to_vec(), now).await;
            let is_last = at + 1 == lines.len();
            let verdict = if is_last {
                verdict_on_patch(&answer, prepared.action, attempts)
            } else {
                verdict_on_removal(&answer)
            };
            let error = answer.error.clone().filter(|_| verdict != Verdict::Sent);
            reply = Reply { verdict, error, taken, ..answer };
            if verdict != Verdict::Sent {
                break;
            }
            taken = taken.saturating_add(1);
            reply.taken = taken;
        }
        reply
    }
}

/// Verdict on the answer to a mark. A 404 means that Datadog does not know the deployment yet, or never will. The mark
/// is retried for a while. After that, a row that sets the mark is dead, and a row that removes the mark is done.
/// `attempts`: number of earlier attempts.
fn verdict_on_patch(reply: &Reply, action: Action, attempts: u32) -> Verdict {
    match reply.status {
        Some(404) if attempts + 1 < MOST_ATTEMPTS_AT_UNKNOWN => Verdict::Retry(Some(UNKNOWN_WAIT)),
        Some(404) if action == Action::Unmark => Verdict::Sent,
        Some(404) => Verdict::Dead,
        _ => reply.verdict,
    }
}

/// Verdict on the answer to the removal of a mark under an older name. A 404 counts as success: there is nothing to
/// remove.
fn verdict_on_removal(reply: &Reply) -> Verdict {
    if reply.status == Some(404) { Verdict::Sent } else { reply.verdict }
}

/// Parts of a request that are read again.
#[derive(Deserialize)]
struct Patch {
    data: PatchData,
}

#[derive(Deserialize)]
struct PatchData {
    id: Option<String>,
    attributes: PatchAttributes,
}

#[derive(Deserialize)]
struct PatchAttributes {
    service: Option<String>,
    env: Option<String>,
    version: Option<String>,
}

/// One request on each line, in the order of sending.
pub(super) fn prepare(MarkRequest { removed, target, mark }: MarkRequest<'_>) -> PreparedRequest {
    let removals = removed.iter().map(|older| patch(older, None));
    let lines: Vec<Vec<u8>> = removals.chain([patch(target, mark)]).map(|line| body::json(&line)).collect();
    let action = if mark.is_some() { Action::Mark } else { Action::Unmark };
    PreparedRequest { action, body: lines.join(&b'\n') }
}

/// `DORADeploymentPatchRequest` or `DORADeploymentPatchByVersionRequest`. A mark without a remediation leaves it out.
/// Datadog does not document whether that removes an earlier remediation, and has no other way to remove one.
fn patch(target: &MarkTarget, mark: Option<&Mark>) -> Value {
    let mut attributes = json!({ "change_failure": mark.is_some() });
    let remediation = mark.and_then(|mark| mark.remediation.as_ref());
    let mut data = json!({ "type": "dora_deployment_patch_request" });
    match target {
        MarkTarget::Id(id) => {
            data["id"] = json!(id);
            if let Some(Remediation { deployment, kind, .. }) = remediation {
                attributes["remediation"] = json!({ "id": deployment, "type": kind.as_str() });
            }
        }
        MarkTarget::Version { service, env, version } => {
            attributes["service"] = json!(service);
            attributes["env"] = json!(env);
            attributes["version"] = json!(version);
            if let Some(remediation) = remediation.and_then(remediation_of_version) {
                attributes["remediation"] = remediation;
            }
        }
    }
    data["attributes"] = attributes;
    json!({ "data": data })
}

/// A remediation by its version, else by its id. `None` if Datadog knows neither.
fn remediation_of_version(Remediation { deployment, version, kind }: &Remediation) -> Option<Value> {
    match version {
        Some(version) => Some(json!({ "version": version, "type": kind.as_str() })),
        None if deployment.is_made_here() => None,
        None => Some(json!({ "id": deployment, "type": kind.as_str() })),
    }
}

/// The deployments that the requests of a row name. Requests that cannot be read are left out.
pub(super) fn targets(body: &[u8]) -> Vec<MarkTarget> {
    body.split(|byte| *byte == b'\n').filter_map(target).collect()
}

fn target(line: &[u8]) -> Option<MarkTarget> {
    let PatchData { id, attributes } = serde_json::from_slice::<Patch>(line).ok()?.data;
    match (id, attributes) {
        (Some(id), _) => DeploymentId::parse(&id).map(MarkTarget::Id),
        (None, PatchAttributes { service: Some(service), env: Some(env), version: Some(version) }) => {
            Some(MarkTarget::Version { service, env, version })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::mark::RemediationKind;

    fn id(id: &str) -> DeploymentId {
        DeploymentId::parse(id).unwrap()
    }

    fn version(version: &str) -> MarkTarget {
        let [service, env, version] = ["checkout", "production", version].map(str::to_owned);
        MarkTarget::Version { service, env, version }
    }

    #[test]
    fn a_mark_of_an_unknown_deployment_is_attempted_thirty_times() {
        let reply = |status| Reply {
            verdict: Verdict::of_status(status, None),
            status: Some(status),
            error: None,
            taken: 0,
        };
        let later = Verdict::Retry(Some(UNKNOWN_WAIT));
        for action in [Action::Mark, Action::Unmark] {
            assert_eq!(verdict_on_patch(&reply(404), action, 0), later);
            assert_eq!(verdict_on_patch(&reply(404), action, 28), later);
            assert_eq!(verdict_on_patch(&reply(202), action, 0), Verdict::Sent);
            assert_eq!(verdict_on_patch(&reply(400), action, 0), Verdict::Dead);
        }
        assert_eq!(verdict_on_patch(&reply(404), Action::Mark, 29), Verdict::Dead);
        assert_eq!(verdict_on_patch(&reply(404), Action::Unmark, 29), Verdict::Sent);
        assert_eq!(verdict_on_removal(&reply(404)), Verdict::Sent);
        assert_eq!(verdict_on_removal(&reply(403)), Verdict::CredentialsRefused);
    }

    #[test]
    fn a_row_names_the_deployments_that_it_was_prepared_for() {
        let marked = Mark { remediation: None };
        for removed in
            [vec![], vec![version("1.41.0")], vec![version("1"), MarkTarget::Id(id("deployment:of-ours"))]]
        {
            for target in [version("1.42.0"), MarkTarget::Id(id("deployment:of-ours"))] {
                for mark in [Some(&marked), None] {
                    let prepared = prepare(MarkRequest { removed: &removed, target: &target, mark });
                    let named: Vec<MarkTarget> = removed.iter().chain([&target]).cloned().collect();
                    assert_eq!(targets(&prepared.body), named);
                }
            }
        }
        assert_eq!(targets(b"{}\nnot JSON"), []);
    }

    #[test]
    fn a_remediation_is_named_by_its_version_or_its_id() {
        let shown = [
            (Some("1.41.0"), "deployment:of-ours"),
            (None, "deployment:of-ours"),
            (None, "api:0123456789abcdef"),
        ];
        let shown = shown.map(|(version_of_it, deployment)| {
            let (kind, version_of_it) = (RemediationKind::Rollback, version_of_it.map(str::to_owned));
            let remediation = Some(Remediation { deployment: id(deployment), version: version_of_it, kind });
            patch(&version("1.42.0"), Some(&Mark { remediation }))["data"]["attributes"]["remediation"]
                .to_string()
        });
        assert_eq!(
            shown,
            [
                r#"{"type":"rollback","version":"1.41.0"}"#,
                r#"{"id":"deployment:of-ours","type":"rollback"}"#,
                "null"
            ]
        );
    }
}
