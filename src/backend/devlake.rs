//! Apache DevLake's incoming webhook: `POST {connection}/issues`, an upsert by `issueKey`.
//!
//! DevLake cannot delete an incident: a failure that does not count is shown as an unresolved incident. Its `/close` is
//! not used, because it sets the end to the time of the request. Deployments: `devlake_deployment`.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use super::answer;
use super::body::json;
use super::credentials::Credentials;
use super::devlake_deployment::deployment;
use super::devlake_text::{LONGEST_CHARS, date};
use super::probe::{Probe, Probing};
use super::probe_request::ask;
use super::protocol::{Attempt, Protocol, Sending};
use super::setup::{SetupError, header};
use super::text::{page, title, unique_within, within};
use crate::config;
use crate::domain::deployment::Deployment;
use crate::domain::failure::{Evaluated, Failure, FailureState};
use crate::domain::forwarding::{Action, PreparedRequest, RevisionContext, Subject};
use crate::http_client::Outgoing;

/// The only type of issue that DevLake counts as an incident.
const INCIDENT: &str = "INCIDENT";

/// A `[[backend]]` of kind `devlake`.
pub(super) struct Devlake {
    issues: reqwest::Url,
    deployments: reqwest::Url,
    authorization: HeaderValue,
    client: reqwest::Client,
}

impl Devlake {
    pub(super) fn from_config(
        entry: &config::BackendSection,
        outgoing: &Outgoing,
    ) -> Result<Self, SetupError> {
        let authorization = header("api_key", "Bearer ", entry.api_key.as_ref())?;
        Ok(Self {
            issues: entry.url.join("/issues"),
            deployments: entry.url.join("/deployments"),
            authorization: authorization.ok_or(SetupError::Missing("api_key"))?,
            client: outgoing.client(entry.timeout.get(), &entry.url.get())?,
        })
    }
}

impl Protocol for Devlake {
    fn prepare(&self, evaluated: &Evaluated, _: RevisionContext) -> PreparedRequest {
        let action = if evaluated.failure.state.counts() { Action::Replace } else { Action::CannotCorrect };
        PreparedRequest { action, body: json(&issue(evaluated)) }
    }

    fn prepare_deployment(&self, record: &Deployment, _: RevisionContext) -> Option<PreparedRequest> {
        Some(PreparedRequest { action: Action::Replace, body: deployment(record)? })
    }

    fn replaces_whole(&self) -> bool {
        true
    }

    fn send(&self, Attempt { subject, prepared, now, .. }: Attempt) -> Sending<'_> {
        let url = match subject {
            Subject::Failure(_) => &self.issues,
            Subject::Deployment(_) => &self.deployments,
        };
        let request = self.client.post(url.clone()).header(AUTHORIZATION, self.authorization.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(prepared.body);
        Box::pin(async move { answer::reply(request.send().await, now).await })
    }

    fn probe<'a>(&'a self, credentials: &'a Credentials) -> Probing<'a> {
        Box::pin(self.ask_about_key(credentials))
    }
}

impl Devlake {
    /// Sends a GET request to the address of issues, without and with the key. DevLake takes only POST there, but looks at
    /// the key first (`RestAuthentication` in its `server/api/middlewares.go`): 401 and 403 are about the key, 404 means
    /// that the key is good. The address of the connection itself is of no use: the key of a connection is not good for
    /// it.
    async fn ask_about_key(&self, credentials: &Credentials) -> Probe {
        let get = || self.client.get(self.issues.clone());
        let with_key = ask(get().header(AUTHORIZATION, self.authorization.clone()), credentials);
        let (without_key, with_key) = tokio::join!(ask(get(), credentials), with_key);
        let answer = match with_key {
            Ok(answer) => answer,
            Err(probe) => return probe,
        };
        if answer.refuses_credentials() {
            return Probe::Unusable(format!(
                "does not accept api_key ({}): put the API key of this connection where this entry says",
                answer.in_words()
            ));
        }
        let is_key_looked_at = without_key.is_ok_and(|answer| answer.refuses_credentials());
        if is_key_looked_at && (answer.is_success() || matches!(answer.status, 404 | 405)) {
            return Probe::Usable("accepts api_key".to_owned());
        }
        let also = if is_key_looked_at { "" } else { ", also without a key" };
        Probe::Doubtful(format!(
            "can be reached, but answers {}{also}, so api_key was not tested: check that url is a webhook connection, as \
             https://HOST/api/rest/plugins/webhook/connections/1",
            answer.in_words()
        ))
    }
}

/// Issue in camel case, as DevLake accepts it since May 2024. Unknown values are sent as null: if they were left out,
/// the old values might stay.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issue<'a> {
    #[serde(rename = "issueKey")]
    key: String,
    title: String,
    r#type: &'static str,
    status: &'static str,
    original_status: &'a str,
    created_date: String,
    updated_date: String,
    resolution_date: Option<String>,
    lead_time_minutes: Option<u64>,
    url: Option<String>,
    priority: Option<String>,
    severity: Option<String>,
    component: Option<String>,
}

fn issue(evaluated: &Evaluated) -> Issue<'_> {
    let failure = &evaluated.failure;
    let (status, original_status) = match failure.state {
        FailureState::Completed => ("DONE", "resolved"),
        FailureState::Open if failure.acknowledged_at.is_some() => ("IN_PROGRESS", "acknowledged"),
        FailureState::Open => ("IN_PROGRESS", "triggered"),
        FailureState::Ignored | FailureState::Merged => ("IN_PROGRESS", failure.state.as_str()),
    };
    let end = evaluated.restored_at();
    Issue {
        key: key(failure),
        title: within(title(failure.title.as_ref()).unwrap_or(failure.id.as_str()), LONGEST_CHARS),
        r#type: INCIDENT,
        status,
        original_status,
        created_date: date(failure.started_at),
        updated_date: date(end.unwrap_or(failure.started_at)),
        resolution_date: end.map(date),
        lead_time_minutes: end.map(|end| end.duration_since(failure.started_at).as_secs() / 60),
        // A URL that is cut leads nowhere.
        url: page(failure.url.as_ref()).map(String::from).filter(|url| url.len() <= LONGEST_CHARS),
        priority: failure.priority.as_deref().map(|priority| within(priority, LONGEST_CHARS)),
        severity: failure.severity.as_deref().map(|severity| within(severity, LONGEST_CHARS)),
        component: failure.services.first().map(|service| unique_within(service, LONGEST_CHARS)),
    }
}

/// Key of the issue: the same for all revisions of a failure, and different for each failure.
fn key(failure: &Failure) -> String {
    match &failure.incident {
        Some(incident) => format!("{}-{incident}", failure.source.as_str().to_uppercase()),
        None => format!("API-{}", failure.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::tests::completed;

    fn as_json(failure: &Evaluated) -> String {
        serde_json::to_string_pretty(&issue(failure)).unwrap()
    }

    #[test]
    fn a_completed_failure_as_devlake_gets_it() {
        insta::assert_snapshot!(as_json(&completed()));
    }

    #[test]
    fn an_open_or_uncounted_failure_has_no_resolution() {
        for state in [FailureState::Open, FailureState::Ignored, FailureState::Merged] {
            let mut failure = completed();
            failure.failure.state = state;
            let issue = serde_json::to_value(issue(&failure)).unwrap();
            assert_eq!(issue["status"], "IN_PROGRESS");
            assert!(issue["resolutionDate"].is_null() && issue["leadTimeMinutes"].is_null(), "{issue}");
        }
    }

    #[test]
    fn fields_that_devlake_requires_are_never_missing() {
        let mut failure = completed();
        failure.failure.incident = None;
        failure.failure.services.clear();
        for title in [None, Some(""), Some(" \n"), Some("\u{200b}")] {
            failure.failure.title = title.map(str::to_owned);
            let issue = serde_json::to_value(issue(&failure)).unwrap();
            assert_eq!(issue["title"], failure.failure.id.as_str());
            for key in ["issueKey", "type", "status", "originalStatus", "createdDate"] {
                assert!(issue[key].as_str().is_some_and(|text| !text.is_empty()), "{key} in {issue}");
            }
        }
    }
}
