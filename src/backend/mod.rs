//! The metrics backends: what each is told of failures and deployments, and how.
//!
//! Another kind is one file here, one line in [`Backend::from_config`], and its name in `config::Kind`; where it has a
//! place for deployments, a second file, as `datadog_deployment.rs`, and `Kind::knows_deployments`.

mod answer;
mod cdevents;
mod credentials;
mod datadog;
mod datadog_deployment;
mod datadog_metrics;
mod devlake;
mod devlake_deployment;
mod devlake_environment;
mod http;
mod text;

use std::future::Future;
use std::pin::Pin;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use self::credentials::Credentials;
use crate::config::{self, Kind, Secret};
use crate::domain::deployment::Deployment;
use crate::domain::failure::Evaluated;
use crate::domain::forwarding::{Action, Destination, Filter, Frozen, Subject, Telling};
use crate::domain::id::DeploymentId;
use crate::domain::lane::Lane;
use crate::domain::mark::Mark;
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;
pub use crate::http_client::ClientError;

/// Protocol of one kind of backend: the requests, and how to send them.
trait Protocol: Send + Sync {
    /// The exact request, or requests, that tell of this failure as it stands (see [`Destination::freeze`]).
    fn freeze(&self, evaluated: &Evaluated, telling: Telling) -> Frozen;

    /// See [`Destination::freeze_deployment`]; most kinds have no place for deployments.
    fn freeze_deployment(&self, _: &Deployment, _: Telling) -> Option<Frozen> {
        None
    }

    /// See [`Destination::take_deployment_back`].
    fn take_deployment_back(&self, _: &DeploymentId) -> Option<Frozen> {
        None
    }

    /// See [`Destination::freeze_mark`]; only one kind has marks.
    fn freeze_mark(&self, _: &DeploymentId, _: Option<&Mark>) -> Option<Frozen> {
        None
    }

    /// `true` if a frozen failure names the deployment that the failure is linked to.
    fn shows_links(&self) -> bool {
        false
    }

    /// `true` if deletions and marks need credentials that other requests do not need.
    fn needs_application_key(&self) -> bool {
        false
    }

    /// See [`Destination::replaces_whole`].
    fn replaces_whole(&self) -> bool {
        false
    }

    /// Sends what was frozen, once.
    fn send(&self, attempt: Attempt) -> Sending<'_>;
}

/// A revision, to be sent once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Failure or deployment that the request is about.
    pub subject: Subject,
    /// Its revision.
    pub revision: i64,
    /// Number of earlier attempts.
    pub attempts: u32,
    /// Content to send.
    pub frozen: Frozen,
    /// Number of its requests that the backend has already, if there are several.
    pub taken: u32,
    /// The time.
    pub now: Timestamp,
}

/// An attempt under way.
type Sending<'a> = Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

/// Result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Meaning of the answer.
    pub verdict: Verdict,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Error, in words for people.
    pub error: Option<String>,
    /// Number of its requests that the backend has now, if there are several.
    pub taken: u32,
}

impl Reply {
    /// There was nothing to be sent.
    fn nothing_to_send() -> Self {
        Self { verdict: Verdict::Sent, status: None, error: None, taken: 0 }
    }

    /// Reply for frozen content that cannot be read: the store is damaged, or another version wrote it.
    fn unreadable() -> Self {
        let error = Some("the stored request cannot be read: discard this row".to_owned());
        Self { verdict: Verdict::Dead, status: None, error, taken: 0 }
    }
}

/// Reason why a backend cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A secret of it cannot be had.
    #[error("{key}: {error}")]
    Secret {
        /// Its key in the configuration.
        key: &'static str,
        /// The reason.
        error: config::SecretError,
    },
    /// A secret that its kind needs is not configured.
    #[error("needs {0}")]
    Missing(&'static str),
    /// A secret cannot be sent.
    #[error("{0} holds characters that no HTTP header can carry")]
    NotAHeader(&'static str),
    /// It cannot be signed with.
    #[error("signing_secret is not whsec_ and at least 16 bytes in base64 (Standard Webhooks)")]
    NotASigningSecret,
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A backend: it freezes what it is told, and later sends just that.
pub struct Backend {
    name: String,
    filter: Filter,
    takes_deployments: bool,
    takes_marks: bool,
    concurrency: usize,
    protocol: Box<dyn Protocol>,
    credentials: Credentials,
}

impl Backend {
    /// The backend that an entry of the configuration describes.
    pub fn from_config(entry: &config::Backend) -> Result<Self, SetupError> {
        let protocol: Box<dyn Protocol> = match entry.kind.get_ref() {
            Kind::Datadog => Box::new(datadog::Datadog::from_config(entry)?),
            Kind::DatadogMetrics => Box::new(datadog_metrics::DatadogMetrics::from_config(entry)?),
            Kind::Devlake => Box::new(devlake::Devlake::from_config(entry)?),
            Kind::Cdevents => Box::new(cdevents::Cdevents::from_config(entry)?),
            Kind::Http => Box::new(http::Http::from_config(entry)?),
        };
        Ok(Self {
            name: entry.name.get_ref().as_str().to_owned(),
            filter: entry.filter(),
            takes_deployments: entry.takes_deployments(),
            takes_marks: entry.takes_marks(),
            concurrency: entry.concurrency.get(),
            protocol,
            credentials: Credentials::of(entry)?,
        })
    }

    /// Sends a frozen revision once.
    pub async fn send(&self, attempt: Attempt) -> Reply {
        let reply = self.protocol.send(attempt).await;
        Reply { error: reply.error.map(|error| self.credentials.taken_out_of(&error)), ..reply }
    }

    /// The credentials that it is asked with.
    pub fn lanes(&self) -> &'static [Lane] {
        if self.protocol.needs_application_key() { &Lane::ALL } else { &[Lane::Main] }
    }

    /// Number of attempts that may be under way at once.
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }
}

impl Destination for Backend {
    fn name(&self) -> &str {
        &self.name
    }

    fn filter(&self) -> &Filter {
        &self.filter
    }

    fn freeze(&self, evaluated: &Evaluated, telling: Telling) -> Frozen {
        self.protocol.freeze(evaluated, telling)
    }

    fn lane(&self, action: Action) -> Lane {
        if action.needs_application_key() && self.protocol.needs_application_key() { Lane::ApplicationKey } else { Lane::Main }
    }

    fn replaces_whole(&self) -> bool {
        self.protocol.replaces_whole()
    }

    fn takes_deployments(&self) -> bool {
        self.takes_deployments
    }

    fn freeze_deployment(&self, deployment: &Deployment, telling: Telling) -> Option<Frozen> {
        self.protocol.freeze_deployment(deployment, telling)
    }

    fn take_deployment_back(&self, id: &DeploymentId) -> Option<Frozen> {
        self.protocol.take_deployment_back(id)
    }

    fn shows_links(&self) -> bool {
        self.protocol.shows_links()
    }

    fn takes_marks(&self) -> bool {
        self.takes_marks
    }

    fn freeze_mark(&self, id: &DeploymentId, mark: Option<&Mark>) -> Option<Frozen> {
        self.protocol.freeze_mark(id, mark)
    }
}

/// The secret under `key`, `None` where it is left out.
fn fetch(key: &'static str, secret: Option<&Secret>) -> Result<Option<SecretString>, SetupError> {
    secret.map(|secret| secret.fetch(1).map_err(|error| SetupError::Secret { key, error })).transpose()
}

/// The same as the value of a header, after `scheme`; never shown.
fn header(
    key: &'static str,
    scheme: &str,
    secret: Option<&Secret>,
) -> Result<Option<HeaderValue>, SetupError> {
    let Some(secret) = fetch(key, secret)? else { return Ok(None) };
    let mut value = HeaderValue::from_str(&format!("{scheme}{}", secret.expose_secret()))
        .map_err(|_| SetupError::NotAHeader(key))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod limits;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    struct Panics;

    impl Protocol for Panics {
        fn freeze(&self, _: &Evaluated, _: Telling) -> Frozen {
            Frozen { action: Action::Replace, body: Vec::new() }
        }

        fn send(&self, _: Attempt) -> Sending<'_> {
            Box::pin(async { panic!("as no backend should") })
        }
    }

    /// A backend whose attempts panic.
    pub(crate) fn that_panics() -> Backend {
        Backend {
            name: "panics".to_owned(),
            filter: Filter::default(),
            concurrency: 4,
            takes_deployments: false,
            takes_marks: false,
            protocol: Box::new(Panics),
            credentials: Credentials::default(),
        }
    }
}
