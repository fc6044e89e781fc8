//! CDEvents 0.5.1 over CloudEvents HTTP, binary mode: an incident is detected, reported and resolved.
//!
//! CDEvents has no event for an incident that is open again or does not count any more. A revision that is not
//! completed therefore has `detected` and no `resolved`. The receiver should disregard the `resolved` of an older
//! revision. An event's id is made from the failure's id and the revision, so repeated attempts have the same id.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};

use super::answer;
use super::body::json;
use super::credentials::Credentials;
use super::probe::Probing;
use super::probe_request::only_connect;
use super::protocol::{Attempt, Protocol, Reply, Sending};
use super::setup::{SetupError, header};
use super::text::{page, shown, title, unique_within, uri, within};
use crate::config;
use crate::domain::failure::{Evaluated, Failure};
use crate::domain::forwarding::{Action, PreparedRequest, RevisionContext};
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;
use crate::http_client::Outgoing;

const SPECVERSION: &str = "0.5.1";
/// Origin of the events (`context.source`).
const SOURCE: &str = "/pagerduty-dora";

/// CloudEvents: "consumers SHOULD accept events of a size of at least 64 KiB", and intermediaries forward them. These
/// limits keep every event below that.
const LONGEST_NAME_CHARS: usize = 255;
const LONGEST_URI_CHARS: usize = 2_048;
const MOST_SERVICES: usize = 40;

/// A `[[backend]]` of kind `cdevents`.
pub(super) struct Cdevents {
    sink: reqwest::Url,
    authorization: Option<HeaderValue>,
    client: reqwest::Client,
    outgoing: Outgoing,
}

impl Cdevents {
    pub(super) fn from_config(
        entry: &config::BackendSection,
        outgoing: &Outgoing,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            sink: entry.url.get(),
            authorization: header("token", "Bearer ", entry.token.as_ref())?,
            client: outgoing.client(entry.timeout.get(), &entry.url.get())?,
            outgoing: outgoing.clone(),
        })
    }

    /// Sends the events in order, from the first one that the sink does not have. Stops at the first one that the sink
    /// does not accept, and returns its reply.
    async fn send_all(&self, Attempt { prepared, mut taken, now, .. }: Attempt) -> Reply {
        let mut last = Reply::nothing_to_send();
        for event in prepared.body.split(|byte| *byte == b'\n').skip(taken as usize) {
            last = self.send_one(event, now).await;
            if last.verdict != Verdict::Sent {
                break;
            }
            taken += 1;
        }
        Reply { taken, ..last }
    }

    async fn send_one(&self, event: &[u8], now: Timestamp) -> Reply {
        let Ok(HeaderFields { context, subject }) = serde_json::from_slice(event) else {
            return Reply::unreadable();
        };
        let mut request = self
            .client
            .post(self.sink.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("ce-specversion", "1.0")
            .header("ce-id", context.id)
            .header("ce-source", context.source)
            .header("ce-type", context.r#type)
            .header("ce-time", context.timestamp)
            .header("ce-subject", subject.id);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        answer::reply(request.body(event.to_vec()).send().await, now).await
    }
}

impl Protocol for Cdevents {
    /// One event on each line, in the order of sending.
    fn prepare(
        &self,
        evaluated: &Evaluated,
        RevisionContext { revision, .. }: RevisionContext,
    ) -> PreparedRequest {
        let action = if evaluated.failure.state.counts() { Action::Replace } else { Action::CannotCorrect };
        let lines: Vec<Vec<u8>> = events(evaluated, revision).iter().map(json).collect();
        PreparedRequest { action, body: lines.join(&b'\n') }
    }

    fn send(&self, attempt: Attempt) -> Sending<'_> {
        Box::pin(self.send_all(attempt))
    }

    /// CDEvents has no request that asks something, and a sink may act on any request.
    fn probe<'a>(&'a self, _: &'a Credentials) -> Probing<'a> {
        let untested = if self.authorization.is_some() { "the token" } else { "events" };
        Box::pin(only_connect(&self.outgoing, &self.sink, untested))
    }
}

/// Fields of an event that the headers repeat.
#[derive(Deserialize)]
struct HeaderFields {
    context: HeaderContext,
    subject: HeaderSubject,
}

#[derive(Deserialize)]
struct HeaderContext {
    id: String,
    source: String,
    r#type: String,
    timestamp: String,
}

#[derive(Deserialize)]
struct HeaderSubject {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CdEvent<'a> {
    context: EventContext,
    subject: CdEventSubject<'a>,
    custom_data: CustomData,
    custom_data_content_type: &'static str,
}

#[derive(Serialize)]
struct EventContext {
    specversion: &'static str,
    id: String,
    source: &'static str,
    r#type: &'static str,
    timestamp: Timestamp,
}

#[derive(Serialize)]
struct CdEventSubject<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    content: SubjectContent,
}

#[derive(Serialize)]
struct SubjectContent {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    environment: SubjectReference,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<SubjectReference>,
    /// In `reported` only, which requires it.
    #[serde(rename = "ticketURI", skip_serializing_if = "Option::is_none")]
    ticket_uri: Option<String>,
}

#[derive(Serialize)]
struct SubjectReference {
    id: String,
}

/// Facts that CDEvents has no field for.
#[derive(Serialize)]
struct CustomData {
    state: &'static str,
    services: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    urgency: Option<String>,
}

fn events(evaluated: &Evaluated, revision: i64) -> Vec<CdEvent<'_>> {
    let (failure, end) = (&evaluated.failure, evaluated.restored_at());
    let detected =
        event(failure, revision, "detected", "dev.cdevents.incident.detected.0.3.0", failure.started_at);
    let ticket = page(failure.url.as_ref()).map(|page| uri(&page));
    let reported = ticket.filter(|ticket| ticket.len() <= LONGEST_URI_CHARS).map(|ticket| {
        let mut reported =
            event(failure, revision, "reported", "dev.cdevents.incident.reported.0.3.0", failure.started_at);
        reported.subject.content.ticket_uri = Some(ticket);
        reported
    });
    let resolved =
        end.map(|end| event(failure, revision, "resolved", "dev.cdevents.incident.resolved.0.3.0", end));
    [Some(detected), reported, resolved].into_iter().flatten().collect()
}

/// Name that identifies something. Two names still differ when they are cut.
fn name(name: &str) -> String {
    unique_within(name, LONGEST_NAME_CHARS)
}

fn event<'a>(
    failure: &'a Failure,
    revision: i64,
    predicate: &str,
    r#type: &'static str,
    timestamp: Timestamp,
) -> CdEvent<'a> {
    let id = format!("{}:{revision}:{predicate}", failure.id);
    CdEvent {
        context: EventContext { specversion: SPECVERSION, id, source: SOURCE, r#type, timestamp },
        subject: CdEventSubject {
            id: failure.incident.as_deref().unwrap_or(failure.id.as_str()),
            source: page(failure.url.as_ref())
                .map(|page| page.origin().ascii_serialization())
                .filter(|origin| origin.len() <= LONGEST_URI_CHARS),
            content: SubjectContent {
                description: title(failure.title.as_ref()).map(shown),
                environment: SubjectReference { id: name(&failure.env) },
                service: failure.services.first().map(|service| SubjectReference { id: name(service) }),
                ticket_uri: None,
            },
        },
        custom_data: CustomData {
            state: failure.state.as_str(),
            services: failure.services.iter().take(MOST_SERVICES).map(|service| name(service)).collect(),
            team: failure.team.as_deref().map(name),
            severity: failure.severity.as_deref().map(|severity| within(severity, LONGEST_NAME_CHARS)),
            urgency: failure.urgency.as_deref().map(|urgency| within(urgency, LONGEST_NAME_CHARS)),
        },
        custom_data_content_type: "application/json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::FailureState;
    use crate::domain::failure::tests::completed;

    fn as_json(failure: &Evaluated) -> String {
        let events = events(failure, 1);
        let events: Vec<String> =
            events.iter().map(|event| serde_json::to_string_pretty(event).unwrap()).collect();
        events.join("\n")
    }

    #[test]
    fn a_completed_failure_as_a_sink_gets_it() {
        insta::assert_snapshot!(as_json(&completed()));
    }

    #[test]
    fn only_a_completed_failure_is_resolved() {
        for state in [FailureState::Open, FailureState::Ignored, FailureState::Merged] {
            let mut failure = completed();
            failure.failure.state = state;
            assert_eq!(events(&failure, 2).len(), 2);
            assert!(!as_json(&failure).contains("resolved.0"));
        }
    }

    #[test]
    fn a_failure_without_a_page_is_not_reported() {
        for url in [None, Some("not a url")] {
            let mut failure = completed();
            failure.failure.url = url.map(str::to_owned);
            assert_eq!(events(&failure, 1).len(), 2);
        }
    }
}
