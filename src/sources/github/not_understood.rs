//! Reasons why a body is not a usable event.

use crate::domain::timestamp::TimestampError;
use crate::sources::json_body::NotJson;

/// Reason why a signed body is not a usable event. The body goes to quarantine with this message.
#[derive(Debug, thiserror::Error)]
pub enum NotUnderstood {
    /// Not JSON, nor a form with JSON.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// JSON, but nothing that GitHub sends.
    #[error("not a webhook of GitHub: the body has none of the keys of its events")]
    NotAnEvent,
    /// A key of a `deployment_status` event is missing, or has a value of another type.
    #[error("deployment_status: {0} is missing, or has a value of another type")]
    Missing(&'static str),
    /// The time of the status is not a time, or an impossible one.
    #[error("deployment_status.created_at {0}")]
    StatusTime(TimestampError),
    /// The creation time of the deployment is not a time, or an impossible one.
    #[error("deployment.created_at {0}")]
    CreationTime(TimestampError),
    /// The repository's address has no host that can be part of an id.
    #[error("repository.html_url has no host that can be part of an id")]
    NoHost,
}
