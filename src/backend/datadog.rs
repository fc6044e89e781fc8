//! Datadog's DORA API: `POST /api/v2/dora/failure`, replaced whole under the same id; with an application key,
//! `DELETE /api/v2/dora/failure/{id}` for what does not count any more.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{Backend, Reply, Sending, SetupError, answer, client};
use crate::config;
use crate::domain::failure::{Details, Evaluated, Failure, State};
use crate::domain::forwarding::{Action, Destination, Frozen};
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;

const API_KEY: HeaderName = HeaderName::from_static("dd-api-key");
const APPLICATION_KEY: HeaderName = HeaderName::from_static("dd-application-key");

/// Datadog: `custom_tags`, up to 100.
const MOST_TAGS: usize = 100;
/// Longer names are cut at a character boundary.
const LONGEST_NAME_CHARS: usize = 1_000;
/// What is sent where neither a service nor a team is known, because one of them is required.
const UNATTRIBUTED: &str = "unattributed";

/// One `[[backend]]` of kind `datadog`.
pub(super) struct Datadog {
    name: String,
    url: reqwest::Url,
    api_key: HeaderValue,
    /// Without it nothing can be deleted.
    application_key: Option<HeaderValue>,
    concurrency: usize,
    client: reqwest::Client,
}

impl Datadog {
    pub(super) fn from_config(entry: &config::Backend) -> Result<Self, SetupError> {
        let timeout: Duration = entry.timeout.get();
        Ok(Self {
            name: entry.name.get_ref().as_str().to_owned(),
            url: entry.url.join("/api/v2/dora/failure"),
            api_key: header_value(&entry.api_key.fetch(1)?)?,
            application_key: match &entry.application_key {
                Some(key) => Some(header_value(&key.fetch(1)?)?),
                None => None,
            },
            concurrency: entry.concurrency.get(),
            client: client(timeout)?,
        })
    }
}

impl Datadog {
    /// What is not there (any more) is as good as deleted. An application key that may not delete holds nothing else up:
    /// the other requests need none.
    async fn delete(&self, id: Vec<u8>) -> Reply {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{}", url.path(), String::from_utf8_lossy(&id)));
        let mut request = self.client.delete(url).header(API_KEY, self.api_key.clone());
        if let Some(key) = &self.application_key {
            request = request.header(APPLICATION_KEY, key.clone());
        }
        match answer::reply(request.send().await).await {
            Reply { status: status @ Some(404), .. } => Reply { verdict: Verdict::Sent, status, error: None },
            Reply { status: status @ Some(403), error, .. } => {
                Reply { verdict: Verdict::Dead, status, error }
            }
            reply => reply,
        }
    }
}

fn header_value(key: &SecretString) -> Result<HeaderValue, SetupError> {
    let mut value = HeaderValue::from_str(key.expose_secret()).map_err(|_| SetupError::NotAHeader)?;
    value.set_sensitive(true);
    Ok(value)
}

impl Destination for Datadog {
    fn name(&self) -> &str {
        &self.name
    }

    fn freeze(&self, evaluated: &Evaluated) -> Frozen {
        let counts = matches!(evaluated.failure.state, State::Open | State::Completed);
        let action = match (&self.application_key, counts) {
            (_, true) => Action::Replace,
            (Some(_), false) => Action::Delete,
            (None, false) => Action::LeaveOpen,
        };
        if action == Action::Delete {
            return Frozen { action, body: evaluated.failure.id.as_str().into() };
        }
        let request = Request { data: Data { attributes: attributes(evaluated) } };
        Frozen { action, body: serde_json::to_vec(&request).unwrap_or_default() }
    }
}

impl Backend for Datadog {
    fn send(&self, Frozen { action, body }: Frozen) -> Sending<'_> {
        if action == Action::Delete {
            return Box::pin(self.delete(body));
        }
        let request = self.client.post(self.url.clone()).header(API_KEY, self.api_key.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        Box::pin(async move { answer::reply(request.send().await).await })
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }
}

#[derive(Serialize)]
struct Request<'a> {
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    attributes: Attributes<'a>,
}

/// Nothing null is sent, and times are nanoseconds: their unit is told by size.
#[derive(Serialize)]
struct Attributes<'a> {
    id: &'a str,
    started_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    env: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    git: Option<Git<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    custom_tags: Vec<String>,
}

#[derive(Serialize)]
struct Git<'a> {
    repository_url: &'a str,
    commit_sha: &'a str,
}

fn attributes(Evaluated { failure, details }: &Evaluated) -> Attributes<'_> {
    let mut services: Vec<&str> = failure.services.iter().map(String::as_str).collect();
    if services.is_empty() && failure.team.is_none() {
        services.push(UNATTRIBUTED);
    }
    let git = details.repository_url.as_deref().zip(details.commit_sha.as_deref());
    Attributes {
        id: failure.id.as_str(),
        started_at: failure.started_at.as_nanos(),
        // A failure that does not count (any more) is shown as one that never ended.
        finished_at: details
            .restored_at
            .filter(|_| failure.state == State::Completed)
            .map(Timestamp::as_nanos),
        services,
        team: failure.team.as_deref(),
        env: &failure.env,
        name: failure.title.as_deref().map(shown_name),
        severity: failure.severity.as_deref(),
        git: git.map(|(repository_url, commit_sha)| Git { repository_url, commit_sha }),
        version: details.version.as_deref(),
        custom_tags: custom_tags(failure, details),
    }
}

/// A title as Datadog takes it.
fn shown_name(title: &str) -> String {
    title.chars().take(LONGEST_NAME_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The tags that were configured or sent, then what PagerDuty says; no tag twice.
fn custom_tags(failure: &Failure, details: &Details) -> Vec<String> {
    let of_pagerduty = [
        ("pagerduty_service", &details.pagerduty_service),
        ("pagerduty_urgency", &failure.urgency),
        ("pagerduty_url", &failure.url),
    ];
    let known =
        of_pagerduty.into_iter().filter_map(|(key, value)| Some(format!("{key}:{}", value.as_ref()?)));
    let mut tags: Vec<String> = Vec::new();
    for tag in details.tags.iter().cloned().chain(known) {
        let tag = shown_name(&tag);
        if tags.len() < MOST_TAGS && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evaluate::evaluate_group;
    use crate::domain::history::History;
    use crate::domain::merge::Group;
    use crate::domain::policy::{Policy, ServiceEntry};
    use crate::pagerduty::payload;

    fn resolved(policy: &Policy) -> Evaluated {
        let body = include_bytes!("../../fixtures/pagerduty/incident.resolved.json");
        let event = payload::parse(body).unwrap();
        let mut history = History::default();
        history.insert(&event, event.occurred_at);
        let group = Group::from([(event.subject.unwrap().incident, history)]);
        evaluate_group(&group, policy).into_values().next().unwrap()
    }

    fn policy() -> Policy {
        let entry = ServiceEntry {
            pagerduty: "PSVC001".into(),
            services: vec!["checkout".into()],
            team: Some("payments".into()),
            tags: vec!["tier:1".into()],
            ..ServiceEntry::default()
        };
        Policy { services: vec![entry], default_env: "production".into(), ..Policy::default() }
    }

    fn shown(failure: &Evaluated) -> String {
        serde_json::to_string_pretty(&Request { data: Data { attributes: attributes(failure) } }).unwrap()
    }

    #[test]
    fn a_completed_failure_as_datadog_gets_it() {
        insta::assert_snapshot!(shown(&resolved(&policy())));
    }

    #[test]
    fn what_does_not_count_is_told_without_an_end() {
        let mut failure = resolved(&policy());
        failure.failure.state = State::Merged;
        assert!(!shown(&failure).contains("finished_at"));
    }

    #[test]
    fn hostile_facts_stay_within_what_datadog_takes() {
        let mut policy = policy();
        policy.services[0].tags = (0..1_000).map(|n| format!("tag:{n}")).collect();
        let mut failure = resolved(&policy);
        failure.failure.title = Some("\u{202e}<script>\0\n".repeat(500));
        failure.failure.services.clear();
        failure.failure.team = None;
        let attributes = attributes(&failure);
        assert_eq!(attributes.custom_tags.len(), MOST_TAGS);
        assert_eq!(attributes.services, [UNATTRIBUTED]);
        let name = attributes.name.unwrap();
        assert_eq!(name.chars().count(), LONGEST_NAME_CHARS);
        assert!(!name.chars().any(char::is_control));
    }
}
