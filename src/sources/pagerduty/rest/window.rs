//! Ids of the incidents that changed or were created in a window of time. A window with more entries than PagerDuty
//! lists is halved until all can be read.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::client::RestClient;
use super::error::RestError;
use super::listing::{Extent, Page};
use super::request::Request;
use crate::domain::timestamp::Timestamp;

/// Longest window of `GET /incidents`. PagerDuty allows six months, and gives an empty list for longer ones.
const LONGEST_SECONDS: u64 = Duration::from_hours(30 * 24).as_secs();
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A window of whole seconds: times in PagerDuty's answers have no fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    since: i64,
    until: i64,
}

impl Window {
    /// The shortest window around these times. `None` if `until` is not after `since`.
    fn around(since: Timestamp, until: Timestamp) -> Option<Self> {
        let is_whole = until.as_nanos().rem_euclid(NANOS_PER_SECOND) == 0;
        let rounded_up = until.as_seconds() + i64::from(!is_whole);
        (since < until).then(|| Self { since: since.as_seconds(), until: rounded_up })
    }

    /// Parts of at most `longest` seconds, the earliest first.
    fn parts(self, longest: u64) -> Vec<Self> {
        let (mut parts, mut rest) = (Vec::new(), self);
        while let Some(end) = rest.since.checked_add_unsigned(longest).filter(|end| *end < rest.until) {
            parts.push(Self { until: end, ..rest });
            rest.since = end;
        }
        parts.push(rest);
        parts
    }

    /// Both halves, the earlier first. `None` for a second. They share a moment, so that no entry is between them.
    fn halves(self) -> Option<[Self; 2]> {
        let middle = self.since + (self.until - self.since) / 2;
        (middle > self.since).then_some([Self { until: middle, ..self }, Self { since: middle, ..self }])
    }

    fn since(self) -> String {
        time(self.since)
    }

    fn until(self) -> String {
        time(self.until)
    }
}

/// RFC 3339 with `Z`. PagerDuty reads a time without an offset in the account's zone.
fn time(seconds: i64) -> String {
    Timestamp::from_nanos(seconds.saturating_mul(NANOS_PER_SECOND)).to_string()
}

/// Page of a list in which each entry names an incident.
trait IncidentPage: Page {
    /// Ids of the incidents.
    fn ids(self) -> Vec<String>;
}

#[derive(Deserialize)]
struct TouchedPage {
    log_entries: Vec<Touched>,
    more: bool,
}

#[derive(Deserialize)]
struct Touched {
    /// `None` for an entry about something else.
    incident: Option<Created>,
}

#[derive(Deserialize)]
struct CreatedPage {
    incidents: Vec<Created>,
    more: bool,
    total: Option<u64>,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

impl Page for TouchedPage {
    fn has_more(&self) -> bool {
        self.more
    }
}

impl IncidentPage for TouchedPage {
    fn ids(self) -> Vec<String> {
        self.log_entries.into_iter().filter_map(|entry| Some(entry.incident?.id)).collect()
    }
}

impl Page for CreatedPage {
    fn has_more(&self) -> bool {
        self.more
    }

    fn total(&self) -> Option<u64> {
        self.total
    }
}

impl IncidentPage for CreatedPage {
    fn ids(self) -> Vec<String> {
        self.incidents.into_iter().map(|incident| incident.id).collect()
    }
}

impl RestClient {
    /// Ids of the incidents with a log entry in a window of time, by the time of the entry. There are no entries for
    /// reopens, merges and moves to another service.
    ///
    /// # Errors
    /// There is no usable answer, or a second has more entries than PagerDuty lists.
    pub async fn touched_incidents(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeSet<String>, RestError> {
        let windows = Window::around(since, until).into_iter().collect();
        self.ids_in::<TouchedPage>("log_entries", &[("is_overview", "true")], windows).await
    }

    /// Ids of the incidents that were created in a window of time, whatever their status.
    ///
    /// # Errors
    /// There is no usable answer, or more incidents were created in a second than PagerDuty lists.
    pub async fn created_incidents(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeSet<String>, RestError> {
        let windows = Window::around(since, until).map(|window| window.parts(LONGEST_SECONDS));
        let query = [("sort_by", "created_at:asc"), ("total", "true")];
        self.ids_in::<CreatedPage>("incidents", &query, windows.unwrap_or_default()).await
    }

    /// Ids of the incidents that are open, whenever they were created. A reopened incident is found here only: its log has
    /// no entry for the reopen.
    ///
    /// # Errors
    /// There is no usable answer, or more incidents are open than PagerDuty lists.
    pub async fn open_incidents(&self) -> Result<BTreeSet<String>, RestError> {
        let query = [
            ("date_range", "all"),
            ("statuses[]", "triggered"),
            ("statuses[]", "acknowledged"),
            ("time_zone", "UTC"),
        ];
        let mut ids = BTreeSet::new();
        let extent = self.pages(&["incidents"], &query, |page: CreatedPage| ids.extend(page.ids())).await?;
        if extent == Extent::TooLong {
            let request = Request::get(&["incidents"], &query).to_string();
            return Err(RestError::WindowTooFull {
                request,
                place: "in the list of open incidents".to_owned(),
            });
        }
        Ok(ids)
    }

    async fn ids_in<P: IncidentPage>(
        &self,
        list: &str,
        query: &[(&str, &str)],
        mut windows: Vec<Window>,
    ) -> Result<BTreeSet<String>, RestError> {
        let mut ids = BTreeSet::new();
        windows.reverse();
        while let Some(window) = windows.pop() {
            let (since, until) = (window.since(), window.until());
            let times = [("since", since.as_str()), ("until", until.as_str()), ("time_zone", "UTC")];
            let query = [query, &times].concat();
            let extent = self.pages(&[list], &query, |page: P| ids.extend(page.ids())).await?;
            if extent == Extent::Whole {
                continue;
            }
            let Some([earlier, later]) = window.halves() else {
                let request = Request::get(&[list], &query).to_string();
                return Err(RestError::WindowTooFull {
                    request,
                    place: format!("in the second from {since}"),
                });
            };
            windows.extend([later, earlier]);
        }
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_parts_of_a_window_leave_nothing_out() {
        let window = Window::around(at("2026-11-01T00:00:00.5Z"), at("2026-11-01T00:00:07Z")).unwrap();
        let parts = window.parts(3);
        assert_eq!(parts.len(), 3);
        assert_eq!(window.parts(7), [window]);
        let halves = window.halves().unwrap();
        let second = Window::around(at("2026-11-01T00:00:00.5Z"), at("2026-11-01T00:00:00.6Z")).unwrap();
        assert_eq!(second.halves(), None);
        for parts in [&parts[..], &halves] {
            assert_eq!(parts[0].since(), window.since());
            assert_eq!(parts[parts.len() - 1].until(), window.until());
            assert!(parts.windows(2).all(|pair| pair[0].until() == pair[1].since()));
        }
    }
}
