//! Answers of GitHub's REST API about a deployment, as events of a source of its own.
//!
//! Each status becomes an event in the shape of a webhook, under the id that its webhook has, so that the same code reads
//! both. The API does not tell the workflow and the job.

use serde_json::{Map, Value, json};

use super::not_understood::NotUnderstood;
use super::payload::{READ_NAME, parse_read};
use crate::domain::event::{Event, Heading, ReadEvent};
use crate::domain::source::Source;

/// GitHub's REST API. Its events are about the deployments of GitHub.
pub static SOURCE: Source = Source {
    name: READ_NAME,
    incidents_of: None,
    title: "GitHub's REST API",
    heading: heading_or_reason,
    parse: stored,
};

/// Keys of a status that an event has. Others change, or say nothing.
const OF_STATUS: [&str; 5] = ["id", "state", "environment", "creator", "created_at"];
/// Keys of a deployment that an event has.
const OF_DEPLOYMENT: [&str; 10] = [
    "id",
    "sha",
    "ref",
    "task",
    "payload",
    "environment",
    "creator",
    "created_at",
    "transient_environment",
    "production_environment",
];
/// Keys of a repository that an event has.
const OF_REPOSITORY: [&str; 2] = ["full_name", "html_url"];

/// An event for each status of a deployment whose state is known, and the reasons why others are not understood.
pub(super) fn events(
    repository: &Value,
    deployment: &Value,
    statuses: &[Value],
) -> (Vec<ReadEvent>, Vec<NotUnderstood>) {
    let (repository, deployment) = (only(repository, &OF_REPOSITORY), only(deployment, &OF_DEPLOYMENT));
    let (mut events, mut left_out) = (Vec::new(), Vec::new());
    for status in statuses {
        let status = only(status, &OF_STATUS);
        let body = json!({ "deployment_status": status, "deployment": deployment, "repository": repository });
        let body = body.to_string().into_bytes();
        match parse_read(&body) {
            Ok(event) if event.subject.is_some() => events.push(ReadEvent { event, body }),
            Ok(_) => {}
            Err(reason) => left_out.push(reason),
        }
    }
    (events, left_out)
}

/// An object with only these keys. Of a person, only the login is kept.
fn only(object: &Value, keys: &[&str]) -> Value {
    let value = |key: &str| match (key, object.get(key)?) {
        ("creator", creator) => Some(json!({ "login": creator.get("login")? })),
        (_, value) => Some(value.clone()),
    };
    let kept = keys.iter().filter_map(|key| Some(((*key).to_owned(), value(key)?)));
    Value::Object(kept.collect::<Map<_, _>>())
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
    use crate::sources::github::payload;

    const WEBHOOK: &str = include_str!("../../../fixtures/github/deployment_status.success.json");

    /// Answers about the deployment of the webhook.
    fn answers() -> (Value, Value, Value) {
        let mut webhook: Value = serde_json::from_str(WEBHOOK).unwrap();
        let mut take = |key: &str| webhook[key].take();
        (take("repository"), take("deployment"), take("deployment_status"))
    }

    #[test]
    fn a_status_is_the_event_of_its_webhook_without_the_workflow() {
        let (repository, deployment, status) = answers();
        let read = events(&repository, &deployment, &[status]).0.remove(0);
        assert_eq!(stored(&read.body).as_ref(), Some(&read.event));
        let mut sent = payload::parse(WEBHOOK.as_bytes()).unwrap();
        assert_eq!((read.event.id.as_str(), read.event.origin), (sent.id.as_str(), Origin::Read));
        sent.origin = Origin::Read;
        if let Some(crate::domain::event::EventSubject::Deployment(about)) = &mut sent.subject {
            assert!(about.facts.workflow.take().is_some() && about.facts.job.take().is_some());
        }
        assert_eq!(read.event, sent);
    }

    #[test]
    fn unknown_states_and_values_are_left_out() {
        let (repository, mut deployment, mut status) = answers();
        status["state"] = json!("dreaming");
        let (events_of_it, left_out) = events(&repository, &deployment, std::slice::from_ref(&status));
        assert!(events_of_it.is_empty() && left_out.is_empty());
        status["state"] = json!("inactive");
        deployment["updated_at"] = json!("2026-11-03T00:00:00Z");
        let inactive = events(&repository, &deployment, &[status]).0.remove(0);
        let body = String::from_utf8(inactive.body).unwrap();
        assert!(!body.contains("updated_at") && !body.contains("avatar"), "{body}");
    }

    #[test]
    fn an_odd_status_is_left_out_alone() {
        let (repository, mut deployment, status) = answers();
        let odd = json!({ "id": 7, "state": "success", "created_at": null });
        let all = [odd, Value::Null, status];
        let (read, left_out) = events(&repository, &deployment, &all);
        assert_eq!((read.len(), left_out.len()), (1, 2));
        deployment["created_at"] = json!("x");
        let (read, left_out) = events(&repository, &deployment, &all[2..]);
        assert!(read.is_empty());
        assert!(left_out[0].to_string().starts_with("deployment.created_at "), "{}", left_out[0]);
    }
}
