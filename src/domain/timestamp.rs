//! Points in time, as the integers that are stored and sent.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z.
///
/// Nanoseconds, because requests to Datadog have nanoseconds, and requests to the event API may have them. An `i64` of
/// nanoseconds ends in 2262. The accepted range ends in the same year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Reason why a text or a number is not a usable point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// The text is not RFC 3339.
    #[error("is not an RFC 3339 time")]
    Malformed,
    /// Before 2001 or after 2262-04-10. No running system produces such a time.
    #[error("lies outside 2001-01-01 to 2262-04-10")]
    OutOfRange,
}

/// A time that is farther ahead of its arrival than this is flagged (rule 14).
const CLOCK_TOLERANCE: Duration = Duration::from_mins(5);
const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;
/// 2001-01-01T00:00:00Z in seconds.
const FIRST_SECOND: i64 = 978_307_200;
/// 2262-04-11T00:00:00Z in seconds; `i64` nanoseconds end later on that day.
const END_SECOND: i64 = 9_223_286_400;

impl Timestamp {
    /// The earliest value.
    pub const MIN: Self = Self(i64::MIN);

    /// Builds a time from nanoseconds that need no check: from the clock or from the store.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Reads an RFC 3339 time of any offset.
    ///
    /// A leap second counts as the second before it. A fraction of more than nine digits is an error.
    ///
    /// ```
    /// # use pagerduty_dora::domain::timestamp::Timestamp;
    /// let local = Timestamp::parse("2026-11-20T13:00:00.5+01:00")?;
    /// assert_eq!(local.to_string(), "2026-11-20T12:00:00.500Z");
    /// assert!(Timestamp::parse("2026-11-20").is_err());
    /// # Ok::<(), pagerduty_dora::domain::timestamp::TimestampError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| {
            // The last days of 9999 are times, too, but jiff does not know them.
            if text.starts_with("9999-12-3") { TimestampError::OutOfRange } else { TimestampError::Malformed }
        })?;
        if !(FIRST_SECOND..END_SECOND).contains(&parsed.as_second()) {
            return Err(TimestampError::OutOfRange);
        }
        i64::try_from(parsed.as_nanosecond()).map(Self).map_err(|_| TimestampError::OutOfRange)
    }

    /// Reads a Unix time in seconds, milliseconds or nanoseconds. The size of the number shows the unit.
    ///
    /// Within the accepted range the three do not overlap: seconds stay below 10^10, milliseconds between
    /// 9·10^11 and 10^13, nanoseconds above 9·10^17.
    ///
    /// ```
    /// # use pagerduty_dora::domain::timestamp::Timestamp;
    /// assert_eq!(Timestamp::from_unix(1_795_176_000)?, Timestamp::from_unix(1_795_176_000_000)?);
    /// # Ok::<(), pagerduty_dora::domain::timestamp::TimestampError>(())
    /// ```
    pub fn from_unix(number: i64) -> Result<Self, TimestampError> {
        let nanos = match number {
            FIRST_SECOND..END_SECOND => number.checked_mul(NANOS_PER_SECOND),
            n if in_range(n, 1_000) => n.checked_mul(NANOS_PER_MILLI),
            n if in_range(n, NANOS_PER_SECOND) => Some(n),
            _ => None,
        };
        nanos.map(Self).ok_or(TimestampError::OutOfRange)
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Nanoseconds from `earlier` to `self`; negative if `self` is the earlier one.
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `true` if it is more than five minutes after `received_at` (rule 14).
    pub fn is_ahead_of(self, received_at: Self) -> bool {
        self > received_at.saturating_add(CLOCK_TOLERANCE)
    }

    /// The time `wait` later, at most the end of the range.
    #[must_use]
    pub fn saturating_add(self, wait: Duration) -> Self {
        let nanos = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// The time `wait` earlier.
    #[must_use]
    pub fn saturating_sub(self, wait: Duration) -> Self {
        let nanos = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(nanos))
    }

    /// Time from `now` until `self`; zero if `self` has passed.
    pub fn duration_since(self, now: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanos_since(now)).unwrap_or(0))
    }

    /// Name of a day, week or month that begins at this time, in UTC like all times that are shown. At midnight it is
    /// `2026-11-01`. For other time zones it has the time, too: `2026-10-31 23:00`.
    pub fn period_name(self) -> String {
        let is_midnight = self.0.rem_euclid(NANOS_PER_DAY) == 0;
        if is_midnight { self.in_utc().strftime("%Y-%m-%d").to_string() } else { self.minute() }
    }

    /// Date and time in UTC without seconds: `2026-11-02 09:14`.
    pub fn minute(self) -> String {
        self.in_utc().strftime("%Y-%m-%d %H:%M").to_string()
    }

    #[expect(
        clippy::expect_used,
        reason = "jiff has the years -9999 to 9999, an i64 of nanoseconds 1677 to 2262"
    )]
    fn in_utc(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0))
            .expect("jiff has all times of an i64 of nanoseconds")
    }
}

/// `true` if `number` lies in the accepted range when a second has `per_second` units.
const fn in_range(number: i64, per_second: i64) -> bool {
    FIRST_SECOND * per_second <= number && number / per_second < END_SECOND
}

impl From<Timestamp> for jiff::Timestamp {
    fn from(time: Timestamp) -> Self {
        time.in_utc()
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC. The fraction has 0, 3, 6 or 9 digits: as many as are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0 {
            n if n % NANOS_PER_SECOND == 0 => 0,
            n if n % NANOS_PER_MILLI == 0 => 3,
            n if n % 1_000 == 0 => 6,
            _ => 9,
        };
        write!(f, "{:.digits$}", self.in_utc())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Times as plain nanoseconds, for the store. Reading and writing them takes a third of the time of RFC 3339.
pub mod nanos {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// For `#[serde(with = "nanos")]`.
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.as_nanos())
    }

    /// For `#[serde(with = "nanos")]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_nanos)
    }

    /// The same for a time that may be missing.
    pub mod option {
        use super::Timestamp;
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        /// For `#[serde(with = "nanos::option")]`.
        pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            time.map(Timestamp::as_nanos).serialize(serializer)
        }

        /// For `#[serde(with = "nanos::option")]`.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            Ok(Option::<i64>::deserialize(deserializer)?.map(Timestamp::from_nanos))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_has_as_many_digits_as_it_needs() {
        for text in [
            "2026-11-01T10:00:00Z",
            "2026-11-01T10:42:10.500Z",
            "2026-11-01T10:42:10.000500Z",
            "2026-11-01T10:42:10.000000001Z",
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_period_that_begins_at_midnight_is_named_by_its_day() {
        let name = |text| Timestamp::parse(text).unwrap().period_name();
        assert_eq!(name("2026-11-01T00:00:00Z"), "2026-11-01");
        assert_eq!(name("2026-10-31T23:00:00Z"), "2026-10-31 23:00");
    }

    #[test]
    fn every_time_can_be_shown() {
        assert_eq!(Timestamp(i64::MIN).to_string(), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(Timestamp(i64::MAX).minute(), "2262-04-11 23:47");
    }

    #[test]
    fn reads_offsets_and_leap_seconds() {
        let parse = |text| Timestamp::parse(text).unwrap().to_string();
        assert_eq!(parse("2026-11-01T12:00:00+02:00"), "2026-11-01T10:00:00Z");
        assert_eq!(parse("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59Z");
    }

    #[test]
    fn times_outside_the_range_and_other_texts_are_refused() {
        use TimestampError::{Malformed, OutOfRange};
        for (text, error) in [
            ("2000-12-31T23:59:59.999Z", OutOfRange),
            ("2262-04-11T00:00:00Z", OutOfRange),
            ("9999-12-30T00:00:00Z", OutOfRange),
            ("9999-12-31T23:59:59Z", OutOfRange),
            ("-009999-01-03T00:00:00Z", OutOfRange),
            ("yesterday", Malformed),
            ("", Malformed),
            ("2026-11-01", Malformed),
        ] {
            assert_eq!(Timestamp::parse(text), Err(error), "{text}");
        }
        assert!(Timestamp::parse("2262-04-10T23:59:59.999999999Z").is_ok());
    }

    #[test]
    fn the_size_of_a_number_shows_its_unit() {
        let at = Timestamp::parse("2026-11-01T10:00:00Z").unwrap();
        for number in [1_793_527_200, 1_793_527_200_000, 1_793_527_200_000_000_000] {
            assert_eq!(Timestamp::from_unix(number), Ok(at), "{number}");
        }
        for number in [0, -1, 1, 946_684_800, 1_793_527_200_000_000, i64::MAX, i64::MIN] {
            assert_eq!(Timestamp::from_unix(number), Err(TimestampError::OutOfRange), "{number}");
        }
    }
}
