//! Reasons why a body is not a usable event.

use std::str::Utf8Error;

use crate::domain::timestamp::TimestampError;

/// Reason why a signed body is not a usable event. The body goes to quarantine with this message.
#[derive(Debug, thiserror::Error)]
pub enum NotUnderstood {
    /// Not UTF-8, so not JSON either.
    #[error("the body is not JSON: {0}")]
    NoText(#[from] Utf8Error),
    /// Not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(serde_json::Error),
    /// JSON, but a key of the event is missing or has a value of another type. The message begins with the key.
    #[error("not a V3 webhook: {0}")]
    Envelope(serde_path_to_error::Error<serde_json::Error>),
    /// JSON, but not an object with an object `event` in it.
    #[error("not a V3 webhook: the body has no event")]
    NoEvent,
    /// `occurred_at` is not a time, or an impossible one.
    #[error("event.occurred_at {0}")]
    OccurredAt(#[from] TimestampError),
    /// The id is empty or blank.
    #[error("event.id is empty")]
    NoId,
    /// The id was cut in the middle of a character.
    #[error("event.id contains half a character")]
    CutId,
    /// The type says that the event is about an incident, but the event has no valid incident id.
    #[error("{0} has no valid incident id")]
    NoIncident(String),
}
