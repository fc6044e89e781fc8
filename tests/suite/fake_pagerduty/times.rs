//! Times as PagerDuty writes them, and as it reads them in a query.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pagerduty_dora::domain::timestamp::Timestamp;

/// Zone of the account, and the rule of its summer time, so that the tests need no database of zones.
const ACCOUNT_ZONE: &str = "America/Los_Angeles";
const ACCOUNT_RULE: &str = "PST8PDT,M3.2.0,M11.1.0";

/// Whole seconds in UTC, as in all bodies of REST and in `created_at` of a webhook.
pub(super) fn in_seconds(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.as_seconds()).unwrap().to_string()
}

/// Milliseconds in UTC, as in `occurred_at` of a webhook.
pub(super) fn in_millis(at: Timestamp) -> String {
    format!("{:.3}", jiff::Timestamp::from_nanosecond(at.as_nanos().into()).unwrap())
}

/// The beginning of the second.
pub(super) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_nanos(at.as_seconds() * 1_000_000_000)
}

/// Zone in which the times of an answer are written.
#[derive(Debug)]
pub(super) struct Zone(TimeZone);

impl Zone {
    pub(super) const UTC: Self = Self(TimeZone::UTC);

    pub(super) fn account() -> Self {
        Self(TimeZone::posix(ACCOUNT_RULE).unwrap())
    }

    /// The zone of this name. `None` if there is none.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "UTC" | "Etc/UTC" => Some(Self::UTC),
            ACCOUNT_ZONE => Some(Self::account()),
            _ => TimeZone::get(name).ok().map(Self),
        }
    }

    /// A time in whole seconds: with `Z` in UTC, else with the offset.
    pub(super) fn text(&self, at: Timestamp) -> String {
        if self.0 == TimeZone::UTC {
            return in_seconds(at);
        }
        let second = jiff::Timestamp::from_second(at.as_seconds()).unwrap();
        second.to_zoned_datetime(self.0.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// Reads a date, or a date and a time. Without an offset the text is a time of this zone.
    pub(super) fn read(&self, text: &str) -> Option<Timestamp> {
        let at = match text.parse::<jiff::Timestamp>() {
            Ok(at) => at,
            Err(_) => self.0.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
        };
        i64::try_from(at.as_nanosecond()).ok().map(Timestamp::from_nanos)
    }
}
