//! Place in a listing, and the cursor that names it.

use crate::store::engine::error::ReadError;

/// Place of a row in a listing: its time in nanoseconds, and its number.
pub(super) type Place = (i64, i64);

/// Place before all rows of a listing whose latest times come first.
const BEGINNING: Place = (i64::MAX, i64::MAX);

/// The place that a listing continues after. Without a cursor it begins.
pub(super) fn place(cursor: Option<&str>) -> Result<Place, ReadError> {
    cursor.map_or(Ok(BEGINNING), |cursor| parse(cursor).ok_or(ReadError::Cursor))
}

/// The cursor of a listing that continues after a place.
pub(super) fn cursor((time_ns, id): Place) -> String {
    format!("{time_ns}-{id}")
}

fn parse(cursor: &str) -> Option<Place> {
    // From the right: a time before 1970 has a minus sign.
    let (time_ns, id) = cursor.rsplit_once('-')?;
    Some((time_ns.parse().ok()?, id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        for place in [(0, 1), (-5, 3), (i64::MAX, i64::MAX)] {
            assert_eq!(parse(&cursor(place)), Some(place));
        }
        for mistake in ["5", "5-", "-", "a-1", ""] {
            assert_eq!(parse(mistake), None, "{mistake}");
        }
    }
}
