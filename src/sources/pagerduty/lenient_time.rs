//! Times of an incident. A time in the year 9999 means never (rule 4).

use std::borrow::Cow;

use crate::domain::timestamp::{Timestamp, TimestampError};
use crate::sources::lenient::Shape;

/// Prefix of the times that many systems use for "never": `9999-12-31T23:59:59Z`.
const NEVER: &str = "9999-";

/// A point in time, or the placeholder that many systems send for "never".
pub(super) enum LenientTime {
    At(Timestamp),
    Never,
}

impl LenientTime {
    /// The time. `None` for never.
    pub(super) const fn time(self) -> Option<Timestamp> {
        match self {
            Self::At(time) => Some(time),
            Self::Never => None,
        }
    }
}

impl Shape<'_> for LenientTime {
    /// Parses a time. Text that is not a time counts as unknown. An impossible time is an error, so that the event goes
    /// to quarantine.
    fn from_text(text: Cow<'_, str>) -> Result<Option<Self>, String> {
        match Timestamp::parse(&text) {
            Ok(time) => Ok(Some(Self::At(time))),
            Err(_) if text.trim_start().starts_with(NEVER) => Ok(Some(Self::Never)),
            Err(TimestampError::Malformed) => Ok(None),
            Err(error) => Err(format!("the time {text} {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sources::pagerduty::payload::{heading, parse};

    /// A triggered incident with this `created_at` and no `reopened_at`, or the other way round.
    fn bodies(time: &str) -> [String; 2] {
        let fixture = include_str!("../../../fixtures/pagerduty/incident.triggered.json");
        let mut body: serde_json::Value = serde_json::from_str(fixture).unwrap();
        ["created_at", "reopened_at"].map(|key| {
            body["event"]["data"]["created_at"] = serde_json::Value::Null;
            body["event"]["data"]["reopened_at"] = serde_json::Value::Null;
            body["event"]["data"][key] = time.into();
            body.to_string()
        })
    }

    #[test]
    fn rule_4_a_time_in_the_year_9999_is_none() {
        for time in [
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999Z",
            "9999-12-31T23:59:59+00:00",
            "9999-12-31T00:00:00-05:00",
            "9999-12-31",
            "9999-01-01T00:00:00Z",
        ] {
            for body in bodies(time) {
                let event = parse(body.as_bytes()).unwrap();
                let facts = event.about_incident().unwrap().snapshot.as_ref().unwrap();
                assert_eq!((facts.created_at, facts.reopened_at), (None, None), "{time}");
                assert!(heading(body.as_bytes()).unwrap().has_placeholder_time, "{time}");
            }
        }
    }

    #[test]
    fn rule_14_another_impossible_time_is_not_understood() {
        for time in
            ["2262-04-12T00:00:00Z", "9000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"]
        {
            for body in bodies(time) {
                assert!(parse(body.as_bytes()).is_err() && heading(body.as_bytes()).is_err(), "{time}");
            }
        }
        for body in bodies("soon") {
            assert!(!heading(body.as_bytes()).unwrap().has_placeholder_time);
        }
    }
}
