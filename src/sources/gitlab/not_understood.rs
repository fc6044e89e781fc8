//! Reasons why a body is not a usable event.

use crate::domain::timestamp::TimestampError;
use crate::sources::json_body::NotJson;

/// Reason why a verified body is not a usable event. The body goes to quarantine with this message.
#[derive(Debug, thiserror::Error)]
pub enum NotUnderstood {
    /// Not JSON.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// JSON, but nothing that GitLab sends.
    #[error("not a webhook of GitLab: the body has no object_kind and no event_name")]
    NotAnEvent,
    /// A key of a deployment event is missing, or has a value of another type.
    #[error("deployment: {0} is missing, or has a value of another type")]
    Missing(&'static str),
    /// The time is not a time with an offset, or an impossible one.
    #[error("status_changed_at {}", of_time(*.0))]
    StatusTime(TimestampError),
    /// The project's address has no host that can be part of an id.
    #[error("project.web_url has no host and path that can be part of an id")]
    NoInstance,
}

fn of_time(error: TimestampError) -> String {
    match error {
        TimestampError::Malformed => {
            "is not a time with an offset such as 2026-11-02 11:03:30 +0100".to_owned()
        }
        TimestampError::OutOfRange => error.to_string(),
    }
}
