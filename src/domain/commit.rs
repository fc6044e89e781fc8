//! Ids of commits.

/// `true` for a full commit id: 40 hexadecimal digits or more (Datadog: `^[a-fA-F0-9]{40,}$`).
pub fn is_full_sha(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
