//! Interface of one kind of backend: the requests, and how to send them.

use std::future::Future;
use std::pin::Pin;

use super::credentials::Credentials;
use super::probe::Probing;
use crate::domain::deployment::Deployment;
use crate::domain::failure::Evaluated;
use crate::domain::forwarding::{PreparedRequest, RevisionContext, Subject};
use crate::domain::id::DeploymentId;
use crate::domain::mark::{MarkRequest, MarkTarget};
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;

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
    fn prepare_mark(&self, _: MarkRequest<'_>) -> Option<PreparedRequest> {
        None
    }

    /// See `Destination::mark_targets`.
    fn mark_targets(&self, _: &PreparedRequest) -> Vec<MarkTarget> {
        Vec::new()
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

    /// See `Destination::counts_each_request`.
    fn counts_each_request(&self) -> bool {
        false
    }

    /// Sends a prepared request once.
    fn send(&self, attempt: Attempt) -> Sending<'_>;

    /// Asks the backend whether it can be used, by requests that change nothing there. The credentials are those to
    /// remove from its answers.
    fn probe<'a>(&'a self, credentials: &'a Credentials) -> Probing<'a>;
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
