//! Paging and windows of time, which all lists have in common.

use jiff::ToSpan;
use jiff::tz::TimeZone;
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::{Value, json};

use super::request::{Query, Refusal, code};

/// Offset and limit together reach no farther than this.
const LAST_RESULT: usize = 10_000;

/// The parameters that [`Page`] reads.
pub(super) const PAGE: [&str; 3] = ["limit", "offset", "total"];

/// The part of a list that an answer has.
pub(super) struct Page {
    limit: usize,
    offset: usize,
    shows_total: bool,
}

impl Page {
    pub(super) fn of(query: Query<'_>) -> Result<Self, Refusal> {
        let limit = query.number("limit", 25, 1..=100)?;
        let offset = query.number("offset", 0, 0..=usize::MAX)?;
        if offset.saturating_add(limit) > LAST_RESULT {
            let error = format!("offset and limit together are more than {LAST_RESULT}");
            return Err(Refusal::mistake(code::PAGE, error));
        }
        Ok(Self { limit, offset, shows_total: query.flag("total")? })
    }

    /// The answer with this part of a list.
    pub(super) fn json<T>(&self, key: &str, all: &[T], object: impl Fn(&T) -> Value) -> Value {
        let shown: Vec<Value> = all.iter().skip(self.offset).take(self.limit).map(object).collect();
        json!({
            key: shown, "limit": self.limit, "offset": self.offset,
            "more": all.len() > self.offset + self.limit, "total": self.shows_total.then_some(all.len()),
        })
    }
}

/// A window of time, from the first time to before the second one. REST knows only whole seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

impl Window {
    pub(super) const ALL: Self = Self { since: None, until: None };

    /// The window of `since` and `until`.
    pub(super) fn of(query: Query<'_>) -> Result<Self, Refusal> {
        let window = Self { since: query.time("since")?, until: query.time("until")? };
        if window.since.zip(window.until).is_some_and(|(since, until)| since > until) {
            return Err(Refusal::mistake(code::DATE_RANGE, "since is later than until"));
        }
        Ok(window)
    }

    /// Fills the window up to one month. Without `since` and `until` it is the last month. `None` if it is longer than
    /// six months, for which PagerDuty answers an empty list.
    pub(super) fn or_a_month(self, now: Timestamp) -> Option<Self> {
        let (since, until) = match (self.since, self.until) {
            (Some(since), Some(until)) => (since, until),
            (Some(since), None) => (since, months_after(since, 1)),
            (None, until) => {
                let until = until.unwrap_or(now);
                (months_after(until, -1), until)
            }
        };
        let window = Self { since: Some(since), until: Some(until) };
        (until <= months_after(since, 6)).then_some(window)
    }

    pub(super) fn has(self, at: Timestamp) -> bool {
        let second = at.as_seconds();
        self.since.is_none_or(|since| second >= since.as_seconds())
            && self.until.is_none_or(|until| second < until.as_seconds())
    }
}

/// The time this many months later, in UTC.
fn months_after(at: Timestamp, months: i64) -> Timestamp {
    let zoned =
        jiff::Timestamp::from_nanosecond(at.as_nanos().into()).unwrap().to_zoned_datetime(TimeZone::UTC);
    let moved = zoned.checked_add(months.months()).unwrap();
    Timestamp::from_nanos(i64::try_from(moved.timestamp().as_nanosecond()).unwrap())
}
