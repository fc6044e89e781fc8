//! Points in time as people write them: RFC 3339, a date, or an age.

use jiff::SpanRelativeTo;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::name::trimmed;
use super::timestamp::{Timestamp, TimestampError};
use super::zoned_time::start_of_day;

/// Length of `2026-11-01`.
const DATE_LENGTH: usize = 10;

/// Reads `2026-11-01T10:00:00Z`, `2026-11-01` (its first instant in `zone`) or `30d` (30 days before `now`). The
/// error is a message for people.
pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = trimmed(text);
    match Timestamp::parse(text) {
        Ok(time) => return Ok(time),
        Err(error @ TimestampError::OutOfRange) => return Err(format!("{text:?} {error}")),
        Err(TimestampError::Malformed) => {}
    }
    // A date alone. A time without an offset is refused, because its time zone is not clear.
    if let Ok(date) = text.parse::<Date>()
        && text.len() == DATE_LENGTH
    {
        return start_of_day(date, zone).ok_or_else(|| format!("the date {text:?} is out of range"));
    }
    // A + in the query of a URL means a blank.
    if Timestamp::parse(&text.replacen(' ', "+", 1)).is_ok() {
        return Err(format!("{text:?} has a blank before its offset: write + as %2B in a URL"));
    }
    age(text, now).ok_or_else(|| {
        format!("{text:?} is not a time: use RFC 3339 (2026-11-01T10:00:00Z), a date (2026-11-01) or an age (30d, 12h)")
    })
}

/// Counts an age back. A day is 24 hours, also when clocks change: every view then means the same by `30d`. Months and
/// years have no fixed length and are no ages.
fn age(text: &str, now: Timestamp) -> Option<Timestamp> {
    let age: jiff::Span = text.parse().ok().filter(|age: &jiff::Span| !age.is_negative())?;
    let length = age.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let now = jiff::Timestamp::from_nanosecond(i128::from(now.as_nanos())).ok()?;
    let then = now.checked_sub(length).ok()?;
    i64::try_from(then.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_rfc_3339_a_date_or_an_age() {
        let now = Timestamp::parse("2026-11-10T12:00:00Z").unwrap();
        let utc = |text| parse(text, now, &TimeZone::UTC).map(|time| time.to_string());
        assert_eq!(utc("2026-11-01T10:00:00+01:00").unwrap(), "2026-11-01T09:00:00Z");
        assert_eq!(utc("2026-11-01").unwrap(), "2026-11-01T00:00:00Z");
        assert_eq!(utc(" 2026-11-01\n").unwrap(), "2026-11-01T00:00:00Z");
        assert_eq!(utc("9d").unwrap(), "2026-11-01T12:00:00Z");
        assert_eq!(utc("12h").unwrap(), "2026-11-10T00:00:00Z");
        let of_query = utc("2026-11-01T00:00:00 01:00").unwrap_err();
        assert!(of_query.contains("%2B"), "{of_query}");
        for text in [
            "",
            "soon",
            "-3d",
            "20261101",
            "2026-11-01T10:00:00",
            "2026-11-01 10:00",
            "2026-13-01",
            "1999-01-01T00:00:00Z",
            "9999999d",
            "1mo",
        ] {
            assert!(utc(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_begins_in_its_time_zone() {
        let now = Timestamp::parse("2026-11-10T12:00:00Z").unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(parse("2026-11-01", now, &zone).unwrap().to_string(), "2026-10-31T22:00:00Z");
    }

    #[test]
    fn a_day_of_an_age_has_24_hours_when_clocks_change() {
        let now = Timestamp::parse("2026-10-26T12:00:00Z").unwrap();
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(parse("2d", now, &berlin).unwrap().to_string(), "2026-10-24T12:00:00Z");
        assert_eq!(parse("1w", now, &berlin).unwrap().to_string(), "2026-10-19T12:00:00Z");
    }
}
