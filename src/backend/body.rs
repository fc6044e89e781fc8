//! Request bodies, as JSON.

use serde::Serialize;

/// The value as JSON.
///
/// # Panics
///
/// Panics if the value cannot be written as JSON, such as a map whose keys are not texts. No request has such a value.
/// An empty body must never be sent instead.
#[expect(
    clippy::expect_used,
    reason = "requests are structs of texts, numbers and lists, which can all be JSON"
)]
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the request cannot be written as JSON")
}
