//! Answers of GitLab's REST API about a deployment, as events of a source of its own.
//!
//! The API tells the present status, and when the job ran. Each of these becomes an event in the shape of a webhook, so
//! that the same code reads both. The API also tells the branch and the name of the job. They are left out: otherwise it
//! would depend on lost webhooks which `[[deployment]]` table matches.

use serde_json::{Value, json};

use super::not_understood::NotUnderstood;
use super::payload::{READ_NAME, parse_read};
use crate::domain::event::{Event, Heading, ReadEvent};
use crate::domain::source::Source;
use crate::domain::timestamp::Timestamp;

/// GitLab's REST API. Its events are about the deployments of GitLab.
pub static SOURCE: Source = Source {
    name: READ_NAME,
    incidents_of: None,
    title: "GitLab's REST API",
    heading: heading_or_reason,
    parse: stored,
};

/// The events of a deployment: the start of its job, and its present status. Those after `until` are left out, and so are
/// statuses that no webhook tells: a job that was only created, or skipped.
pub(super) fn events(
    project: &Value,
    tier: Option<&str>,
    deployment: &Value,
    until: Option<Timestamp>,
) -> Result<Vec<ReadEvent>, NotUnderstood> {
    let mut events = Vec::new();
    for (status, at) in told(deployment)? {
        if until.is_some_and(|until| at > until) {
            continue;
        }
        let body = body(project, tier, deployment, (status, at)).to_string().into_bytes();
        let event = parse_read(&body)?;
        events.push(ReadEvent { event, body });
    }
    Ok(events)
}

/// The statuses that webhooks tell of a deployment, with their times.
fn told(deployment: &Value) -> Result<Vec<(&str, Timestamp)>, NotUnderstood> {
    let status = deployment.get("status").and_then(Value::as_str).ok_or(NotUnderstood::Missing("status"))?;
    // A deployment that was made through the API has no job.
    let of_job = |key: &str| time(deployment.pointer(&format!("/deployable/{key}")));
    let changed_at = time(deployment.get("updated_at")).ok_or(NotUnderstood::Missing("updated_at"))?;
    let started_at = of_job("started_at");
    Ok(match status {
        "success" | "failed" | "canceled" => {
            let start = started_at.map(|at| ("running", at));
            let end = (status, of_job("finished_at").unwrap_or(changed_at));
            start.into_iter().chain([end]).collect()
        }
        "running" => vec![(status, started_at.unwrap_or(changed_at))],
        "blocked" => vec![(status, changed_at)],
        _ => Vec::new(),
    })
}

/// The body of a webhook with this status.
fn body(project: &Value, tier: Option<&str>, deployment: &Value, (status, at): (&str, Timestamp)) -> Value {
    let of_deployment = |path: &str| deployment.pointer(path).cloned().unwrap_or_default();
    let of_project = |key: &str| project.get(key).cloned().unwrap_or_default();
    // Who started a job later is not noted in the deployment.
    let of_job = of_deployment("/deployable/user/username");
    let user = if of_job.is_null() { of_deployment("/user/username") } else { of_job };
    let web_url = project.get("web_url").and_then(Value::as_str).unwrap_or_default();
    let sha = deployment.get("sha").and_then(Value::as_str).unwrap_or_default();
    json!({
        "object_kind": "deployment", "status": status, "status_changed_at": at.to_string(),
        "deployment_id": of_deployment("/id"), "environment": of_deployment("/environment/name"),
        "environment_tier": tier, "user": { "username": user }, "commit_url": format!("{web_url}/-/commit/{sha}"),
        "project": {
            "web_url": of_project("web_url"), "path_with_namespace": of_project("path_with_namespace"),
        },
    })
}

/// A time in whole seconds, as those of webhooks.
fn time(value: Option<&Value>) -> Option<Timestamp> {
    let at = Timestamp::parse(value?.as_str()?).ok()?;
    Timestamp::from_unix(at.as_seconds()).ok()
}

fn stored(body: &[u8]) -> Option<Event> {
    parse_read(body).ok()
}

fn heading_or_reason(body: &[u8]) -> Result<Heading, String> {
    parse_read(body).map(|event| event.heading()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Origin;
    use crate::sources::gitlab::payload;

    const WEBHOOK: &str = include_str!("../../../fixtures/gitlab/deployment.success.json");

    /// Answers about the deployment of the webhook.
    fn answers() -> (Value, Value) {
        let webhook: Value = serde_json::from_str(WEBHOOK).unwrap();
        let commit = webhook["commit_url"].as_str().unwrap();
        let deployment = json!({
            "id": webhook["deployment_id"], "iid": 3, "ref": "main", "sha": commit.rsplit('/').next(),
            "status": "success", "created_at": "2026-11-02T10:00:00.000Z", "updated_at": "2026-11-02T10:03:31.100Z",
            "user": { "username": "somebody" }, "environment": { "id": 9, "name": webhook["environment"] },
            "deployable": {
                "started_at": "2026-11-02T10:01:02.345Z", "finished_at": "2026-11-02T10:03:30.412Z",
                "user": { "username": webhook["user"]["username"] },
            },
        });
        (webhook["project"].clone(), deployment)
    }

    #[test]
    fn a_deployment_is_the_events_of_its_webhooks() {
        let (project, deployment) = answers();
        let read = events(&project, Some("production"), &deployment, None).unwrap();
        let ids: Vec<&str> = read.iter().map(|read| read.event.id.as_str()).collect();
        let mut sent = payload::parse(WEBHOOK.as_bytes()).unwrap();
        assert_eq!(ids.len(), 2);
        assert!(ids[0].ends_with(":running") && sent.id.starts_with(&format!("{}:", ids[1])), "{ids:?}");
        (sent.id, sent.origin) = (ids[1].to_owned(), Origin::Read);
        assert_eq!(read[1].event, sent);
        assert!(read.iter().all(|read| stored(&read.body).as_ref() == Some(&read.event)));
    }

    #[test]
    fn each_status_has_its_time() {
        let (project, mut deployment) = answers();
        let mut told = |status: &str, job: Value| {
            deployment["status"] = json!(status);
            deployment["deployable"] = job;
            let read = events(&project, None, &deployment, None).unwrap();
            read.iter()
                .map(|read| format!("{} {}", read.event.event_type, read.event.occurred_at))
                .collect::<Vec<_>>()
        };
        let job = json!({ "started_at": "2026-11-02T10:01:02.345Z", "finished_at": null });
        assert_eq!(told("running", job.clone()), ["deployment.running 2026-11-02T10:01:02Z"]);
        assert_eq!(told("running", Value::Null), ["deployment.running 2026-11-02T10:03:31Z"]);
        assert_eq!(told("blocked", job.clone()), ["deployment.blocked 2026-11-02T10:03:31Z"]);
        assert_eq!(
            told("failed", job),
            ["deployment.running 2026-11-02T10:01:02Z", "deployment.failed 2026-11-02T10:03:31Z"]
        );
        assert_eq!(told("success", Value::Null), ["deployment.success 2026-11-02T10:03:31Z"]);
        for untold in ["created", "skipped", "dreaming"] {
            assert_eq!(told(untold, Value::Null), [""; 0], "{untold}");
        }
    }

    #[test]
    fn the_last_minutes_are_left_to_webhooks() {
        let (project, deployment) = answers();
        let until = Timestamp::parse("2026-11-02T10:02:00Z").ok();
        let read = events(&project, None, &deployment, until).unwrap();
        assert_eq!(read.len(), 1);
        assert!(events(&project, None, &json!({}), None).is_err());
    }
}
