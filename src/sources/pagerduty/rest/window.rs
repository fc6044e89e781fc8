//! Windows of time, and the ids of the incidents that changed in one. A window with more entries than PagerDuty lists is
//! halved until all can be read.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use super::client::RestClient;
use super::error::RestError;
use super::listing::{Extent, MOST_LISTED, Page};
use super::request::Request;
use crate::domain::timestamp::Timestamp;

/// Longest window of `GET /incidents`. PagerDuty allows six months, and gives an empty list for longer ones.
const LONGEST_SECONDS: u64 = Duration::from_hours(30 * 24).as_secs();
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A window of whole seconds: times in PagerDuty's answers have no fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    since: i64,
    until: i64,
}

impl Window {
    /// The shortest window around these times. `None` if `until` is not after `since`.
    pub(super) fn around(since: Timestamp, until: Timestamp) -> Option<Self> {
        let is_whole = until.as_nanos().rem_euclid(NANOS_PER_SECOND) == 0;
        let rounded_up = until.as_seconds() + i64::from(!is_whole);
        (since < until).then(|| Self { since: since.as_seconds(), until: rounded_up })
    }

    /// The longest window with the same beginning for which PagerDuty gives all incidents.
    pub(super) fn first_part(self) -> Self {
        let end = self.since.saturating_add_unsigned(LONGEST_SECONDS);
        Self { until: self.until.min(end), ..self }
    }

    /// The first of both halves. `None` for a second.
    pub(super) fn earlier_half(self) -> Option<Self> {
        self.halves().map(|[earlier, _]| earlier)
    }

    /// Both halves, the earlier first. `None` for a second. They share a moment, so that no entry is between them.
    fn halves(self) -> Option<[Self; 2]> {
        let middle = self.since + (self.until - self.since) / 2;
        (middle > self.since).then_some([Self { until: middle, ..self }, Self { since: middle, ..self }])
    }

    pub(super) fn since(self) -> String {
        moment(self.since).to_string()
    }

    pub(super) fn until(self) -> String {
        moment(self.until).to_string()
    }

    pub(super) fn end(self) -> Timestamp {
        moment(self.until)
    }
}

/// Its text is RFC 3339 with `Z`. PagerDuty reads a time without an offset in the account's zone.
fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds.saturating_mul(NANOS_PER_SECOND))
}

/// Error for a window that cannot be halved, and has more entries than PagerDuty lists.
pub(super) fn too_full(request: &Request<'_>, window: Window) -> RestError {
    RestError::WindowTooFull {
        request: request.to_string(),
        place: format!("in the second from {}", window.since()),
    }
}

#[derive(Deserialize)]
struct TouchedPage {
    log_entries: Vec<Touched>,
    more: bool,
}

#[derive(Deserialize)]
struct Touched {
    /// `None` for an entry about something else.
    incident: Option<Reference>,
}

#[derive(Deserialize)]
struct OpenPage {
    incidents: Vec<Reference>,
    more: bool,
}

#[derive(Deserialize)]
struct Reference {
    id: String,
}

impl Page for TouchedPage {
    fn has_more(&self) -> bool {
        self.more
    }
}

impl Page for OpenPage {
    fn has_more(&self) -> bool {
        self.more
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
        let mut ids = BTreeSet::new();
        let mut windows: Vec<Window> = Window::around(since, until).into_iter().collect();
        while let Some(window) = windows.pop() {
            let (since, until) = (window.since(), window.until());
            let query = [
                ("is_overview", "true"),
                ("since", since.as_str()),
                ("until", until.as_str()),
                ("time_zone", "UTC"),
            ];
            let take = |page: TouchedPage| {
                ids.extend(page.log_entries.into_iter().filter_map(|entry| Some(entry.incident?.id)));
            };
            match self.pages(&["log_entries"], &query, MOST_LISTED, take).await? {
                Extent::Whole => {}
                Extent::TooLong => {
                    let halves = window.halves();
                    let request = Request::get(&["log_entries"], &query);
                    let [earlier, later] = halves.ok_or_else(|| too_full(&request, window))?;
                    windows.extend([later, earlier]);
                }
            }
        }
        Ok(ids)
    }

    /// Asks for one incident, to see whether the token may read incidents.
    ///
    /// # Errors
    /// There is no usable answer.
    pub async fn probe_incidents(&self) -> Result<(), RestError> {
        let query = [("limit", "1"), ("time_zone", "UTC")];
        self.read::<OpenPage>(&Request::get(&["incidents"], &query)).await.map(drop)
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
        let take = |page: OpenPage| ids.extend(page.incidents.into_iter().map(|incident| incident.id));
        let extent = self.pages(&["incidents"], &query, MOST_LISTED, take).await?;
        if extent == Extent::TooLong {
            let request = Request::get(&["incidents"], &query).to_string();
            return Err(RestError::WindowTooFull {
                request,
                place: "in the list of open incidents".to_owned(),
            });
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
        assert_eq!(window.first_part(), window);
        let halves = window.halves().unwrap();
        let second = Window::around(at("2026-11-01T00:00:00.5Z"), at("2026-11-01T00:00:00.6Z")).unwrap();
        assert_eq!(second.halves(), None);
        assert_eq!((halves[0].since(), halves[1].until()), (window.since(), window.until()));
        assert_eq!(halves[0].until(), halves[1].since());
    }
}
