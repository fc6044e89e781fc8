//! Interface of one kind of backend: the requests, and how to send them.

use std::future::Future;
use std::pin::Pin;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{self, Secret};
use crate::domain::deployment::Deployment;
use crate::domain::failure::Evaluated;
use crate::domain::forwarding::{PreparedRequest, RevisionContext, Subject};
use crate::domain::id::DeploymentId;
use crate::domain::mark::Mark;
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;
use crate::http_client::ClientError;

/// Protocol of one kind of backend: the requests, and how to send them.
pub(super) trait Protocol: Send + Sync {
    /// Exact request, or requests, for the present state of the failure. See `Destination::prepare`.
    fn prepare(&self, evaluated: &Evaluated, context: RevisionContext) -> PreparedRequest;

    /// See `Destination::prepare_deployment`. Most kinds take no deployments.
    fn prepare_deployment(&self, _: &Deployment, _: RevisionContext) -> Option<PreparedRequest> {
        None
    }

    /// See `Destination::prepare_deployment_removal`.
    fn prepare_deployment_removal(&self, _: &DeploymentId) -> Option<PreparedRequest> {
        None
    }

    /// See `Destination::prepare_mark`. Only one kind has marks.
    fn prepare_mark(&self, _: &DeploymentId, _: Option<&Mark>) -> Option<PreparedRequest> {
        None
    }

    /// `true` if the request for a failure names the deployment that caused it.
    fn includes_cause(&self) -> bool {
        false
    }

    /// `true` if deletions and marks need an application key.
    fn needs_application_key(&self) -> bool {
        false
    }

    /// See `Destination::replaces_whole`.
    fn replaces_whole(&self) -> bool {
        false
    }

    /// Sends a prepared request once.
    fn send(&self, attempt: Attempt) -> Sending<'_>;
}

/// One attempt to send a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Failure or deployment that the request is about.
    pub subject: Subject,
    /// Revision of the subject.
    pub revision: i64,
    /// Number of earlier attempts.
    pub attempts: u32,
    /// Request to send.
    pub prepared: PreparedRequest,
    /// Number of requests that the backend accepted before, if the revision needs several.
    pub taken: u32,
    /// Time of the attempt.
    pub now: Timestamp,
}

/// An attempt under way.
pub(super) type Sending<'a> = Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

/// Result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Meaning of the answer.
    pub verdict: Verdict,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Error, in words for people.
    pub error: Option<String>,
    /// Number of requests that the backend has accepted by now, if the revision needs several.
    pub taken: u32,
}

impl Reply {
    /// Reply if there was nothing to send.
    pub(super) fn nothing_to_send() -> Self {
        Self { verdict: Verdict::Sent, status: None, error: None, taken: 0 }
    }

    /// Reply for a prepared request that cannot be read: the store is damaged, or another version wrote it.
    pub(super) fn unreadable() -> Self {
        let error = Some("the stored request cannot be read: discard this row".to_owned());
        Self { verdict: Verdict::Dead, status: None, error, taken: 0 }
    }
}

/// Reason why a backend cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A secret cannot be read.
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
    #[error("{0} contains characters that an HTTP header cannot have")]
    NotAHeader(&'static str),
    /// The signing secret has the wrong form.
    #[error("signing_secret must be whsec_ and at least 16 bytes in base64 (Standard Webhooks)")]
    NotASigningSecret,
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The secret under `key`. `None` if it is not configured.
pub(super) fn fetch(key: &'static str, secret: Option<&Secret>) -> Result<Option<SecretString>, SetupError> {
    secret.map(|secret| secret.fetch(1).map_err(|error| SetupError::Secret { key, error })).transpose()
}

/// The secret as the value of a header, after `scheme`. The value is never shown.
pub(super) fn header(
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
