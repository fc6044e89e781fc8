//! Failures and deployments that Datadog's DORA API holds: `POST /api/v2/dora/failures` and `/api/v2/dora/deployments`.
//!
//! An answer has at most 1,000 records, and no cursor: a longer list is read in shorter periods.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{first_bytes, requested_wait};
use super::credentials::Credentials;
use super::datadog_client::Client;
use super::setup::SetupError;
use crate::config;
use crate::domain::timestamp::Timestamp;
use crate::http_client::{Outgoing, words};

/// Datadog: `limit`, up to 1,000.
pub const MOST_LISTED: usize = 1_000;
/// Wait where Datadog asks to wait, and does not say for how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// Kind of record that Datadog lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// Failures.
    Failures,
    /// Deployments.
    Deployments,
}

/// Reason why a list could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Datadog asks to wait.
    #[error("Datadog asks to wait for {} s (HTTP 429)", .0.as_secs())]
    Wait(Duration),
    /// Datadog refuses the keys.
    #[error(
        "Datadog refuses the keys of this backend ({0}): give it an api_key and an application_key of the same organization, \
         the application key with the permission dora_metrics_read, and the url of its site"
    )]
    Refused(String),
    /// Another answer, or none.
    #[error("{0}")]
    NoList(String),
}

/// Reads the lists of a backend of kind `datadog`.
pub struct DatadogLists {
    failures: reqwest::Url,
    deployments: reqwest::Url,
    client: Client,
    credentials: Credentials,
}

impl DatadogLists {
    /// The lists of the backend that an entry of the configuration describes.
    ///
    /// # Errors
    /// A secret cannot be used, or there is no application key, which Datadog requires.
    pub fn from_config(entry: &config::BackendSection, outgoing: &Outgoing) -> Result<Self, SetupError> {
        let client = Client::from_config(entry, outgoing)?;
        if !client.has_application_key() {
            return Err(SetupError::Missing("application_key"));
        }
        Ok(Self {
            failures: entry.url.join("/api/v2/dora/failures"),
            deployments: entry.url.join("/api/v2/dora/deployments"),
            client,
            credentials: Credentials::of(entry)?,
        })
    }

    /// The records of a kind that started in a period, in any order. If there are [`MOST_LISTED`], others may be missing.
    ///
    /// # Errors
    /// Datadog gave no list.
    pub async fn list(
        &self,
        kind: ListKind,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<Vec<Value>, ListError> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<Value>,
        }
        let (url, name) = match kind {
            ListKind::Failures => (&self.failures, "dora_failures_list_request"),
            ListKind::Deployments => (&self.deployments, "dora_deployments_list_request"),
        };
        let attributes = json!({ "from": from, "to": to, "limit": MOST_LISTED, "sort": "-started_at" });
        let request = json!({ "data": { "attributes": attributes, "type": name } });
        let sent = self.client.ask_for_list(url, request.to_string().into_bytes()).await;
        let mut response = sent.map_err(unreachable)?;
        let status = response.status().as_u16();
        if status != 200 {
            let wait = requested_wait(response.headers(), now);
            let text = self.credentials.redact(first_bytes(&mut response).await.trim());
            return Err(refusal(url.path(), status, &text, wait));
        }
        let body = response.bytes().await.map_err(unreachable)?;
        let list: List = serde_json::from_slice(&body).map_err(|error| {
            ListError::NoList(format!(
                "the answer to POST {} is not a list ({error}): correct url",
                url.path()
            ))
        })?;
        Ok(list.data)
    }
}

fn unreachable(error: reqwest::Error) -> ListError {
    let problem = words(&error.without_url());
    ListError::NoList(format!("Datadog gave no answer ({problem}): check url and the network, and try again"))
}

fn refusal(path: &str, status: u16, text: &str, wait: Option<Duration>) -> ListError {
    let answer = if text.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {text}") };
    match status {
        401 | 403 => ListError::Refused(answer),
        429 => ListError::Wait(wait.unwrap_or(DEFAULT_WAIT)),
        404 | 405 | 410 => ListError::NoList(format!(
            "Datadog does not know POST {path} ({answer}): correct url. After 2027-03-31 Datadog may list no failures any \
             more, and another copy of this program lists nothing"
        )),
        500.. => ListError::NoList(format!("Datadog answers {answer}: try again later")),
        _ => ListError::NoList(format!("Datadog does not answer POST {path} with a list ({answer})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_cure() {
        let errors = [
            refusal("/lists", 401, "", None),
            refusal("/lists", 403, "{\"errors\":[\"Forbidden\"]}", None),
            refusal("/lists", 404, "Not Found", None),
            refusal("/lists", 400, "unknown attribute", None),
            refusal("/lists", 429, "", Some(Duration::from_secs(30))),
            refusal("/lists", 429, "", None),
            refusal("/lists", 503, "", None),
        ];
        insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n"), @r#"
        Datadog refuses the keys of this backend (HTTP 401): give it an api_key and an application_key of the same organization, the application key with the permission dora_metrics_read, and the url of its site
        Datadog refuses the keys of this backend (HTTP 403: {"errors":["Forbidden"]}): give it an api_key and an application_key of the same organization, the application key with the permission dora_metrics_read, and the url of its site
        Datadog does not know POST /lists (HTTP 404: Not Found): correct url. After 2027-03-31 Datadog may list no failures any more, and another copy of this program lists nothing
        Datadog does not answer POST /lists with a list (HTTP 400: unknown attribute)
        Datadog asks to wait for 30 s (HTTP 429)
        Datadog asks to wait for 10 s (HTTP 429)
        Datadog answers HTTP 503: try again later
        "#);
    }
}
