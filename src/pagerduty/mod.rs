//! PagerDuty's side of the wire: signatures and the payload of V3 webhooks.

mod custom_field;
mod lenient;
mod moment;
pub mod payload;
pub mod signature;

/// `true` if an unsigned body looks like a V1 or V2 webhook: those have `"messages"` at their top.
///
/// Looked for, not parsed: nobody has vouched for the body.
pub fn looks_like_legacy(body: &[u8]) -> bool {
    const KEY: &[u8] = b"\"messages\"";
    body.windows(KEY.len()).any(|window| window == KEY)
}
