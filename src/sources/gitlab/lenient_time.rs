//! Times as GitLab writes them: `2021-04-28 21:50:00 +0200`, `2020-11-02 12:55:12 UTC`, or RFC 3339.

use std::borrow::Cow;

use crate::domain::timestamp::{Timestamp, TimestampError};

/// Reads a time. A time without an offset is an error: the zone of the server is not known.
pub(super) fn time(text: &str) -> Result<Timestamp, TimestampError> {
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    let rfc_3339 = match parts[..] {
        [date, time, "UTC"] => Cow::Owned(format!("{date}T{time}Z")),
        [date, time, offset] => Cow::Owned(format!("{date}T{time}{offset}")),
        _ => Cow::Borrowed(text.trim()),
    };
    Timestamp::parse(&rfc_3339)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_gitlab_is_read_with_its_offset() {
        for text in [
            "2026-11-02 11:03:30 +0100",
            "2026-11-02 11:03:30 +01:00",
            "2026-11-02 05:03:30 -0500",
            "2026-11-02 10:03:30 UTC",
            "2026-11-02 10:03:30 +0000",
            "2026-11-02T10:03:30Z",
            "2026-11-02T11:03:30.000+01:00",
            " 2026-11-02 10:03:30 UTC ",
        ] {
            assert_eq!(
                time(text).map(|time| time.to_string()).as_deref(),
                Ok("2026-11-02T10:03:30Z"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_time_without_an_offset_is_refused() {
        for text in [
            "",
            "2026-11-02",
            "2026-11-02 10:03:30",
            "2026-11-02T10:03:30",
            "2026-11-02 10:03:30 CET",
            "soon",
        ] {
            assert_eq!(time(text), Err(TimestampError::Malformed), "{text}");
        }
        assert_eq!(time("0001-01-01 00:00:00 UTC"), Err(TimestampError::OutOfRange));
    }
}
