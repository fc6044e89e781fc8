//! Points in time as people write them: RFC 3339, a date, or an age.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::name::trimmed;
use super::timestamp::{Timestamp, TimestampError};

/// `2026-11-01`
const DATE_LETTERS: usize = 10;

/// Reads `2026-11-01T10:00:00Z`, `2026-11-01` (its first instant in `zone`) or `30d` (that long before `now`).
pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = trimmed(text);
    match Timestamp::parse(text) {
        Ok(time) => return Ok(time),
        Err(error @ TimestampError::OutOfRange) => return Err(format!("{text:?} {error}")),
        Err(TimestampError::Malformed) => {}
    }
    // A date alone: of a time without an offset nobody can say where it is meant.
    if let Ok(date) = text.parse::<Date>()
        && text.len() == DATE_LETTERS
    {
        return start_of_day(date, zone).ok_or_else(|| format!("{text:?} is not a date that can be used"));
    }
    // A + in the query of a URL means a blank.
    if Timestamp::parse(&text.replacen(' ', "+", 1)).is_ok() {
        return Err(format!("{text:?} has a blank where its offset begins: write + as %2B in a URL"));
    }
    age(text, now, zone).ok_or_else(|| {
        format!("{text:?} is not a time: use RFC 3339 (2026-11-01T10:00:00Z), a date (2026-11-01) or an age (30d, 12h)")
    })
}

fn start_of_day(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = date.to_zoned_datetime(zone.clone()).ok()?.timestamp();
    i64::try_from(start.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

/// An age is counted back on the calendar of the zone: a day is one, also when clocks change.
fn age(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let age: jiff::Span = text.parse().ok().filter(|age: &jiff::Span| !age.is_negative())?;
    let now = jiff::Timestamp::from_nanosecond(i128::from(now.as_nanos())).ok()?;
    let then = now.to_zoned_datetime(zone.clone()).checked_sub(age).ok()?.timestamp();
    i64::try_from(then.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_write_a_time() {
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
        ] {
            assert!(utc(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_begins_where_its_zone_says() {
        let now = Timestamp::parse("2026-11-10T12:00:00Z").unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(parse("2026-11-01", now, &zone).unwrap().to_string(), "2026-10-31T22:00:00Z");
    }
}
