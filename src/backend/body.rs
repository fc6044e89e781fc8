//! Request bodies, as JSON.

use serde::Serialize;

/// The value as JSON.
///
/// # Panics
///
/// The value has no JSON: a map whose keys are no texts, say. No request has one; an empty body is never sent instead.
#[expect(
    clippy::expect_used,
    reason = "requests are structs of texts, numbers and lists, which all have JSON"
)]
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the request has no JSON")
}
