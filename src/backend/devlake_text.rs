//! Texts as DevLake accepts them.

use crate::domain::timestamp::Timestamp;

/// DevLake: its columns `issue_key`, `url`, `priority`, `severity` and `component` are `varchar(255)`, and it answers a
/// longer text with 500 for ever. Titles have no limit there; they are cut too, because they are shown in one line.
pub(super) const LONGEST_CHARS: usize = 255;

/// RFC 3339 with an offset in digits.
pub(super) fn date(at: Timestamp) -> String {
    at.to_string().replace('Z', "+00:00")
}
