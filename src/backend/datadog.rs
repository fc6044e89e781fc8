//! Datadog's DORA API: `POST /api/v2/dora/failure`, replaced whole under the same id; with an application key,
//! `DELETE /api/v2/dora/failure/{id}` for what does not count any more. Deployments: `datadog_deployment`.

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;

use super::datadog_deployment::{Deployments, deployment};
use super::text::{page, shown, title, unique_within};
use super::{Attempt, Protocol, Reply, Sending, SetupError, answer, header};
use crate::config;
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Details, Evaluated, Failure, State};
use crate::domain::forwarding::{Action, Frozen, Subject, Telling};
use crate::domain::id::DeploymentId;
use crate::domain::mark::Mark;
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;
use crate::http_client;

const API_KEY: HeaderName = HeaderName::from_static("dd-api-key");
const APPLICATION_KEY: HeaderName = HeaderName::from_static("dd-application-key");

/// Datadog: `custom_tags`, up to 100.
pub(super) const MOST_TAGS: usize = 100;
/// Services of a failure that Datadog is told of: it names no limit, but takes a bounded request. The others are left
/// out, rather than the failure.
const MOST_SERVICES: usize = 100;
/// Datadog: a tag has up to 200 characters, with its key. Attributes that it shows as tags are held to that, too.
const LONGEST_TAG_CHARS: usize = 200;
/// Name that is sent if neither a service nor a team is known, because one of them is required.
const UNATTRIBUTED: &str = "unattributed";

/// A `[[backend]]` of kind `datadog`.
pub(super) struct Datadog {
    url: reqwest::Url,
    client: Client,
    deployments: Deployments,
}

/// Requests with the keys that they need.
#[derive(Clone)]
pub(super) struct Client {
    api_key: HeaderValue,
    /// Without it nothing can be deleted or marked.
    application_key: Option<HeaderValue>,
    http: reqwest::Client,
}

impl Client {
    pub(super) fn from_config(entry: &config::Backend) -> Result<Self, SetupError> {
        let api_key = header("api_key", "", entry.api_key.as_ref())?;
        Ok(Self {
            api_key: api_key.ok_or(SetupError::Missing("api_key"))?,
            application_key: header("application_key", "", entry.application_key.as_ref())?,
            http: http_client::client(entry.timeout.get(), &entry.url.get())?,
        })
    }

    /// Tells of something whole.
    pub(super) async fn post(&self, url: &reqwest::Url, body: Vec<u8>, now: Timestamp) -> Reply {
        let request = self.http.post(url.clone()).header(API_KEY, self.api_key.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        answer::reply(request.send().await, now).await
    }

    /// Deletes a record. A 404 counts as success: the record is gone.
    pub(super) async fn delete(&self, url: &reqwest::Url, id: &str, now: Timestamp) -> Reply {
        match self.with_both_keys(self.http.delete(below(url, id)), now).await {
            reply @ Reply { status: Some(404), .. } => Reply { verdict: Verdict::Sent, error: None, ..reply },
            reply => reply,
        }
    }

    /// Changes what is there.
    pub(super) async fn patch(&self, url: &reqwest::Url, id: &str, body: Vec<u8>, now: Timestamp) -> Reply {
        let request = self.http.patch(below(url, id)).header(CONTENT_TYPE, "application/json");
        self.with_both_keys(request.body(body), now).await
    }

    /// Sends both keys. A 401 or 403 does not say which one is refused, so it holds up only requests that need the
    /// application key.
    async fn with_both_keys(&self, request: reqwest::RequestBuilder, now: Timestamp) -> Reply {
        let mut request = request.header(API_KEY, self.api_key.clone());
        if let Some(key) = &self.application_key {
            request = request.header(APPLICATION_KEY, key.clone());
        }
        answer::reply(request.send().await, now).await
    }
}

/// The address of one of them. An id has no letter that would have to be escaped.
fn below(url: &reqwest::Url, id: &str) -> reqwest::Url {
    let mut url = url.clone();
    url.set_path(&format!("{}/{id}", url.path()));
    url
}

impl Datadog {
    pub(super) fn from_config(entry: &config::Backend) -> Result<Self, SetupError> {
        let client = Client::from_config(entry)?;
        let url = entry.url.join("/api/v2/dora/failure");
        Ok(Self { url, deployments: Deployments::new(&entry.url, client.clone()), client })
    }
}

impl Protocol for Datadog {
    fn freeze(&self, evaluated: &Evaluated, _: Telling) -> Frozen {
        let action = match (&self.client.application_key, evaluated.failure.state.counts()) {
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

    fn freeze_deployment(&self, told: &Deployment, _: Telling) -> Option<Frozen> {
        Some(Frozen { action: Action::Replace, body: deployment(told) })
    }

    fn take_deployment_back(&self, id: &DeploymentId) -> Option<Frozen> {
        let can_delete = self.client.application_key.is_some();
        can_delete.then(|| Frozen { action: Action::Delete, body: id.as_str().into() })
    }

    fn freeze_mark(&self, id: &DeploymentId, mark: Option<&Mark>) -> Option<Frozen> {
        Some(Deployments::freeze_mark(id, mark))
    }

    fn needs_application_key(&self) -> bool {
        true
    }

    fn replaces_whole(&self) -> bool {
        true
    }

    fn send(&self, attempt: Attempt) -> Sending<'_> {
        if matches!(attempt.subject, Subject::Deployment(_)) {
            return Box::pin(self.deployments.send(attempt));
        }
        let Attempt { subject, frozen: Frozen { action, body }, now, .. } = attempt;
        if action == Action::Delete {
            return Box::pin(async move { self.client.delete(&self.url, subject.id(), now).await });
        }
        Box::pin(self.client.post(&self.url, body, now))
    }
}

/// Envelope of every request body.
#[derive(Serialize)]
pub(super) struct Request<A> {
    pub(super) data: Data<A>,
}

#[derive(Serialize)]
pub(super) struct Data<A> {
    pub(super) attributes: A,
}

/// Nothing null is sent, and times are nanoseconds: their unit is told by size.
#[derive(Serialize)]
struct Attributes<'a> {
    id: &'a str,
    started_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    env: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    git: Option<Git<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    custom_tags: Vec<String>,
}

/// A full commit and its repository: both or neither. Datadog: `^[a-fA-F0-9]{40,}$`.
#[derive(Serialize)]
pub(super) struct Git<'a> {
    repository_url: String,
    commit_sha: &'a str,
}

impl<'a> Git<'a> {
    pub(super) fn of(repository_url: Option<&'a String>, commit_sha: Option<&'a String>) -> Option<Self> {
        let is_full = |sha: &&String| sha.len() >= 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (repository_url, commit_sha) = repository_url.zip(commit_sha.filter(is_full))?;
        Some(Self { repository_url: shown(repository_url), commit_sha })
    }
}

fn attributes(Evaluated { failure, details }: &Evaluated) -> Attributes<'_> {
    let mut services: Vec<String> =
        failure.services.iter().take(MOST_SERVICES).map(|service| tag_value("service", service)).collect();
    if services.is_empty() && failure.team.is_none() {
        services.push(UNATTRIBUTED.to_owned());
    }
    Attributes {
        id: failure.id.as_str(),
        started_at: failure.started_at.as_nanos(),
        // A failure that does not count (any more) is shown as one that never ended.
        finished_at: details
            .restored_at
            .filter(|_| failure.state == State::Completed)
            .map(Timestamp::as_nanos),
        services,
        team: failure.team.as_deref().map(|team| tag_value("team", team)),
        env: tag_value("env", &failure.env),
        name: title(failure.title.as_ref()).map(shown),
        severity: failure.severity.as_deref().map(|severity| tag_value("severity", severity)),
        git: Git::of(details.repository_url.as_ref(), details.commit_sha.as_ref()),
        version: details.version.as_deref().map(|version| tag_value("version", version)),
        custom_tags: custom_tags(failure, details),
    }
}

/// The tags that were configured or sent, then what PagerDuty says; no tag twice, and none without a key: better a tag
/// is missing there than the failure.
fn custom_tags(failure: &Failure, details: &Details) -> Vec<String> {
    // An address that is cut leads nowhere.
    let page = page(failure.url.as_ref())
        .map(|page| format!("pagerduty_url:{page}"))
        .filter(|tag| tag.len() <= LONGEST_TAG_CHARS);
    let tag = |key: &str, value: &String| format!("{key}:{value}");
    let of_pagerduty = [
        details.pagerduty_service.as_ref().map(|service| tag("pagerduty_service", service)),
        failure.urgency.as_ref().map(|urgency| tag("pagerduty_urgency", urgency)),
        page,
    ];
    as_taken(details.tags.iter().cloned().chain(of_pagerduty.into_iter().flatten()))
}

/// A tag as long as Datadog takes it. One that is cut still differs from all others.
pub(super) fn tag(tag: &str) -> String {
    unique_within(tag, LONGEST_TAG_CHARS)
}

/// The value of a tag of this key.
pub(super) fn tag_value(key: &str, value: &str) -> String {
    unique_within(value, LONGEST_TAG_CHARS - key.len() - ":".len())
}

/// No more tags than Datadog takes, and none twice.
pub(super) fn as_taken(tags: impl Iterator<Item = String>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for sent in tags {
        let tag = tag(&sent);
        if taken.len() < MOST_TAGS && tag.contains(':') && !taken.contains(&tag) {
            taken.push(tag);
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::text::LONGEST_CHARS;
    use crate::domain::failure::tests::completed;

    fn request(failure: &Evaluated) -> String {
        serde_json::to_string_pretty(&Request { data: Data { attributes: attributes(failure) } }).unwrap()
    }

    #[test]
    fn a_completed_failure_as_datadog_gets_it() {
        insta::assert_snapshot!(request(&completed()));
    }

    #[test]
    fn what_does_not_count_is_told_without_an_end() {
        let mut failure = completed();
        failure.failure.state = State::Merged;
        assert!(!request(&failure).contains("finished_at"));
    }

    #[test]
    fn hostile_facts_stay_within_what_datadog_takes() {
        let mut failure = completed();
        failure.details.tags = (0..1_000).map(|n| format!("tag:{n}")).collect();
        failure.failure.title = Some("\u{202e}<script>\0\n".repeat(500));
        failure.failure.services.clear();
        failure.failure.team = None;
        let attributes = attributes(&failure);
        assert_eq!(attributes.custom_tags.len(), MOST_TAGS);
        assert_eq!(attributes.services, [UNATTRIBUTED]);
        let name = attributes.name.unwrap();
        assert_eq!(name.chars().count(), LONGEST_CHARS);
        assert!(!name.chars().any(char::is_control));
    }
}
