//! Ids of commits.

use std::ops::RangeInclusive;

/// Lengths of commit ids. Git has 40 or 64 digits. Datadog takes any number from 40 (`^[a-fA-F0-9]{40,}$`).
const LENGTHS: RangeInclusive<usize> = 40..=128;

/// `true` for a full commit id: 40 to 128 hexadecimal digits.
pub fn is_full_sha(text: &str) -> bool {
    LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
