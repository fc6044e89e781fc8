//! Points in time with the offset of the place where people read them.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::timestamp::{Timestamp, TimestampError};

const NANOS_PER_MINUTE: i64 = 60_000_000_000;

/// A point in time and its offset from UTC, shown as RFC 3339: `2026-11-02T00:00:00+01:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZonedTime {
    at: Timestamp,
    /// Whole minutes, because RFC 3339 has no seconds of an offset. Zones had such offsets before 1972 only.
    offset_minutes: i32,
}

impl ZonedTime {
    /// A time with the offset that a time zone has then.
    pub fn new(at: Timestamp, zone: &TimeZone) -> Self {
        Self { at, offset_minutes: zone.to_offset(at.into()).seconds() / 60 }
    }

    /// The point in time.
    pub const fn at(self) -> Timestamp {
        self.at
    }

    fn parse(text: &str) -> Result<Self, TimestampError> {
        let at = Timestamp::parse(text)?;
        let offset = text.get(text.len().saturating_sub("+01:00".len())..).and_then(|offset| {
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let minutes = hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?;
            match offset.as_bytes().first()? {
                b'+' => Some(minutes),
                b'-' => Some(-minutes),
                _ => None,
            }
        });
        // A text without an offset in numbers ends with Z.
        Ok(Self { at, offset_minutes: offset.unwrap_or(0) })
    }
}

/// The first moment of a day in a time zone. It is not midnight if clocks go forward at midnight. `None` beyond the range
/// of times.
pub(super) fn start_of_day(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = date.to_zoned_datetime(zone.clone()).ok()?.timestamp();
    i64::try_from(start.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

impl fmt::Display for ZonedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, offset_minutes } = *self;
        if offset_minutes == 0 {
            return at.fmt(f);
        }
        let shift = i64::from(offset_minutes) * NANOS_PER_MINUTE;
        let local = Timestamp::from_nanos(at.as_nanos().saturating_add(shift)).to_string();
        let (sign, minutes) = (if offset_minutes < 0 { '-' } else { '+' }, offset_minutes.unsigned_abs());
        write!(f, "{}{sign}{:02}:{:02}", local.trim_end_matches('Z'), minutes / 60, minutes % 60)
    }
}

impl Serialize for ZonedTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ZonedTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(at: &str, zone: &str) -> String {
        ZonedTime::new(Timestamp::parse(at).unwrap(), &TimeZone::posix(zone).unwrap()).to_string()
    }

    #[test]
    fn a_time_has_the_offset_of_its_zone() {
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        assert_eq!(shown("2026-11-01T23:00:00Z", berlin), "2026-11-02T00:00:00+01:00");
        assert_eq!(shown("2026-10-24T22:00:00.5Z", berlin), "2026-10-25T00:00:00.500+02:00");
        assert_eq!(shown("2026-11-01T03:30:00Z", "XST3:30"), "2026-11-01T00:00:00-03:30");
        assert_eq!(shown("2026-11-01T03:30:00Z", "UTC0"), "2026-11-01T03:30:00Z");
    }

    #[test]
    fn a_text_is_read_again() {
        for text in ["2026-11-02T00:00:00+01:00", "2026-11-01T00:00:00-03:30", "2026-11-01T03:30:00Z"] {
            let time: ZonedTime = serde_json::from_value(text.into()).unwrap();
            assert_eq!(serde_json::to_value(time).unwrap(), text);
        }
    }
}
