//! Datadog's Events API v2: `POST /api/v2/events`, an alert for each failure.
//!
//! All events of a failure have one aggregation key, so Datadog shows them as one alert: `error` while the failure is
//! open, `ok` once it has ended or does not count any more. An event cannot be changed or deleted. The last one of a key
//! holds, and has the present state in `custom.dora`.

use serde_json::{Value, json};

use super::body;
use super::credentials::Credentials;
use super::datadog_client::{Client, accepted_tags, tag_value};
use super::datadog_priority::priority;
use super::probe::{Probe, Probing};
use super::probe_request::only_connect;
use super::protocol::{Attempt, Protocol, Reply, Sending};
use super::setup::SetupError;
use super::text::{page, title, unique_within, uri, within};
use crate::config;
use crate::domain::failure::{Evaluated, Failure, FailureState};
use crate::domain::forwarding::{Action, FailuresSent, PreparedRequest, RevisionContext};
use crate::domain::human_duration::human_duration;
use crate::domain::name::is_blank;
use crate::domain::timestamp::Timestamp;
use crate::http_client::Outgoing;

/// Datadog refuses a `timestamp` that is more than 18 hours old. An hour is left for clocks that differ, and for requests
/// that wait on their way.
const OLDEST_TIMESTAMP_SECONDS: i64 = 17 * 60 * 60;

/// Datadog: `title`, `message`, `aggregation_key`, and the `url` of a link.
const LONGEST_TITLE_CHARS: usize = 500;
const LONGEST_MESSAGE_CHARS: usize = 4_000;
const LONGEST_KEY_CHARS: usize = 100;
const LONGEST_LINK_CHARS: usize = 2_048;
/// Greatest number of services that a message names.
const MOST_NAMED_SERVICES: usize = 20;

/// A `[[backend]]` of kind `datadog-events`.
pub(super) struct DatadogEvents {
    url: reqwest::Url,
    client: Client,
    /// The API of the same site, which tests the key. `None` if the address is not Datadog's own.
    api: Option<String>,
    /// The address that is only connected to for `check`.
    intake: reqwest::Url,
    outgoing: Outgoing,
    /// `true` if a failure is sent when it starts, too.
    sends_open: bool,
}

impl DatadogEvents {
    pub(super) fn from_config(
        entry: &config::BackendSection,
        outgoing: &Outgoing,
    ) -> Result<Self, SetupError> {
        let (client, api) = (Client::from_config(entry, outgoing)?, entry.url.datadog_api());
        Ok(Self {
            url: entry.url.join("/api/v2/events"),
            api: api.as_ref().map(|api| api.origin().ascii_serialization()),
            client: match &api {
                Some(api) => client.validating_at(api),
                None => client,
            },
            intake: entry.url.get(),
            outgoing: outgoing.clone(),
            sends_open: entry.failures_sent() == FailuresSent::OpenToo,
        })
    }

    /// Connects to the intake, which nothing can be asked without an effect, and asks the API of the same site about the
    /// key.
    async fn ask(&self, credentials: &Credentials) -> Probe {
        let connected = only_connect(&self.outgoing, &self.intake, "api_key and events").await;
        match (&self.api, connected) {
            (Some(api), Probe::Usable(_)) => {
                let key = self.client.ask_about_api_key(credentials).await;
                of_key(api, key.map(|(is_valid, answer)| (is_valid, answer.in_words())))
            }
            (_, connected) => connected,
        }
    }
}

/// Result for an intake that can be reached, from what the API of the same site says about the key.
fn of_key(api: &str, key: Result<(Option<bool>, String), Probe>) -> Probe {
    const UNTESTED: &str = "Nothing was sent: only the first event shows whether the intake accepts events";
    match key {
        Ok((Some(true), _)) => {
            Probe::Usable(format!("can be reached, and {api} accepts api_key. {UNTESTED}"))
        }
        Ok((Some(false), words)) => Probe::Unusable(format!(
            "can be reached, but {api} does not accept api_key ({words}): put a valid API key where this entry says. A key \
             is good for one site of Datadog, so check url, too"
        )),
        Ok((None, words)) => Probe::Doubtful(format!(
            "can be reached, but {api} answers {words}, so api_key was not tested. {UNTESTED}"
        )),
        // The intake works without the API.
        Err(Probe::Usable(text) | Probe::Doubtful(text) | Probe::Unusable(text)) => {
            Probe::Doubtful(format!("can be reached, but api_key was not tested: {api} {text}. {UNTESTED}"))
        }
    }
}

impl Protocol for DatadogEvents {
    /// An event for a failure that does not count is the last word about it, but the earlier ones stay.
    fn prepare(&self, evaluated: &Evaluated, context: RevisionContext) -> PreparedRequest {
        let action = if evaluated.failure.state.counts() { Action::Replace } else { Action::CannotCorrect };
        PreparedRequest { action, body: body::json(&event(evaluated, context, self.sends_open)) }
    }

    fn includes_cause(&self) -> bool {
        true
    }

    /// An older event that arrives late becomes the last one of its alert.
    fn replaces_whole(&self) -> bool {
        true
    }

    fn send(&self, Attempt { prepared, now, .. }: Attempt) -> Sending<'_> {
        Box::pin(async move {
            match serde_json::from_slice(&prepared.body) {
                Ok(event) => self.client.post(&self.url, body::json(&dated(event, now)), now).await,
                Err(_) => Reply::unreadable(),
            }
        })
    }

    fn probe<'a>(&'a self, credentials: &'a Credentials) -> Probing<'a> {
        Box::pin(self.ask(credentials))
    }
}

/// The event as it is sent at `now`: without a `timestamp` that Datadog would refuse, which makes it an event of the time
/// of receipt.
///
/// The start decides, also for the event at the end: if the event at the start got the time of receipt, the one at the end
/// must not be earlier, because the last one holds.
fn dated(mut event: Value, now: Timestamp) -> Value {
    let Some(attributes) = event.pointer_mut("/data/attributes").and_then(Value::as_object_mut) else {
        return event;
    };
    let time =
        |value: Option<&Value>| value.and_then(Value::as_str).and_then(|text| Timestamp::parse(text).ok());
    let started_at =
        time(attributes.get("attributes").and_then(|inner| inner.pointer("/custom/dora/started_at")));
    let is_accepted = |at: Timestamp| {
        at <= now && now.as_seconds().saturating_sub(at.as_seconds()) <= OLDEST_TIMESTAMP_SECONDS
    };
    let timestamp = time(attributes.get("timestamp"));
    if !(started_at.is_some_and(is_accepted) && timestamp.is_some_and(is_accepted)) {
        attributes.remove("timestamp");
    }
    event
}

/// The event about the present state of a failure. Null is never sent.
fn event(Evaluated { failure, details }: &Evaluated, context: RevisionContext, sends_open: bool) -> Value {
    let is_open = failure.state == FailureState::Open;
    let mut inner = json!({
        "status": if is_open { "error" } else { "ok" },
        "custom": { "dora": state(failure, context) },
    });
    if let Some(priority) = failure.severity.as_deref().and_then(priority) {
        inner["priority"] = priority.into();
    }
    if let Some(link) = link(failure) {
        inner["links"] = json!([link]);
    }
    let known = [
        ("env", Some(&failure.env)),
        ("team", failure.team.as_ref()),
        ("severity", failure.severity.as_ref()),
    ];
    let services = failure.services.iter().map(|service| ("service", Some(service)));
    let known = known.into_iter().chain(services);
    let known = known.filter_map(|(key, value)| Some(format!("{key}:{}", tag_value(key, value?))));
    let mut attributes = json!({
        "title": shown_title(failure),
        "category": "alert",
        "integration_id": "custom-events",
        "aggregation_key": unique_within(failure.id.as_str(), LONGEST_KEY_CHARS),
        "message": within(&message(failure), LONGEST_MESSAGE_CHARS),
        "tags": accepted_tags(known.chain(details.tags.iter().cloned())),
        "attributes": inner,
    });
    if has_time_of_its_own(failure, context, sends_open) {
        let at = if is_open { Some(failure.started_at) } else { failure.finished_at };
        if let Some(at) = at {
            attributes["timestamp"] = json!(at);
        }
    }
    json!({ "data": { "type": "event", "attributes": attributes } })
}

/// `true` if no event of the failure can be at Datadog that is later than the time of this one. A correction gets the time
/// of receipt, so that the order of the events is the order of the revisions. The end of a failure whose start was sent as
/// the first revision is no correction.
fn has_time_of_its_own(failure: &Failure, context: RevisionContext, sends_open: bool) -> bool {
    let RevisionContext { revision, is_correction } = context;
    !is_correction || (sends_open && revision == 2 && failure.state == FailureState::Completed)
}

fn shown_title(failure: &Failure) -> String {
    let known = title(failure.title.as_ref()).map(|title| within(title, LONGEST_TITLE_CHARS));
    known.filter(|title| !is_blank(title)).unwrap_or_else(|| format!("Failure {}", failure.id))
}

/// Link to the incident's page, unless the address would be cut: it would lead nowhere.
fn link(failure: &Failure) -> Option<Value> {
    let url = uri(&page(failure.url.as_ref())?);
    (url.chars().count() <= LONGEST_LINK_CHARS)
        .then(|| json!({ "category": "resource", "title": "Incident", "url": url }))
}

/// The facts as they are, with true times.
fn state(failure: &Failure, RevisionContext { revision, .. }: RevisionContext) -> Value {
    let cut = |text: &String| within(text, LONGEST_TITLE_CHARS);
    let mut state = json!({
        "failure_id": failure.id.as_str(),
        "revision": revision,
        "state": failure.state.as_str(),
        "started_at": failure.started_at,
    });
    let known = [
        ("finished_at", failure.finished_at.map(|at| json!(at))),
        ("time_to_restore_seconds", failure.time_to_restore_seconds.map(|seconds| json!(seconds))),
        ("reason", failure.reason.as_ref().map(|reason| json!(cut(reason)))),
        ("merged_into", failure.merged_into.as_ref().map(|incident| json!(cut(incident)))),
        ("deployment", failure.deployment.as_ref().map(|id| cause(id, failure.deployment_version.as_ref()))),
    ];
    for (key, value) in known {
        if let Some(value) = value {
            state[key] = value;
        }
    }
    state
}

/// The deployment that caused a failure.
fn cause(id: &str, version: Option<&String>) -> Value {
    match version {
        Some(version) => json!({ "id": id, "version": within(version, LONGEST_TITLE_CHARS) }),
        None => json!({ "id": id }),
    }
}

/// The state in sentences for people.
fn message(failure: &Failure) -> String {
    let began = format!("The failure began at {}", failure.started_at);
    let about = match (failure.state, failure.finished_at) {
        (FailureState::Open, _) => format!("{began} and has not ended."),
        (FailureState::Completed, None) => format!("{began}. It ended at an unknown time."),
        (FailureState::Completed, Some(end)) => match failure.time_to_restore_seconds {
            Some(seconds) => {
                format!("{began} and ended at {end}: restored after {}.", human_duration(seconds))
            }
            None => format!("{began} and ended at {end}."),
        },
        (FailureState::Ignored, _) => match &failure.reason {
            Some(reason) => format!("The failure does not count any more: {reason}."),
            None => "The failure does not count any more: it is ignored.".to_owned(),
        },
        (FailureState::Merged, _) => match &failure.merged_into {
            Some(target) => format!("The failure does not count any more: it was merged into {target}."),
            None => "The failure does not count any more: it was merged into another one.".to_owned(),
        },
    };
    let named: Vec<&str> = failure.services.iter().take(MOST_NAMED_SERVICES).map(String::as_str).collect();
    let services = (!named.is_empty()).then(|| format!("Services: {}.", named.join(", ")));
    let team = failure.team.as_ref().map(|team| format!("Team: {team}."));
    let env = Some(format!("Env: {}.", failure.env));
    let cause = failure.deployment.as_ref().map(|deployment| format!("Caused by deployment {deployment}."));
    [Some(about), services, team, env, cause].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
