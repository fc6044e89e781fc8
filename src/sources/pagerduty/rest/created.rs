//! The incidents that were created in a window of time: from the list of incidents, or from PagerDuty's analytics,
//! which give ten times as many in an answer, about a day late.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::json;

use super::client::RestClient;
use super::error::RestError;
use super::listing::{Extent, MOST_LISTED, Page};
use super::request::Request;
use super::window::{Window, too_full};
use crate::domain::timestamp::Timestamp;

/// Greatest number of incidents that are found at once.
const AT_ONCE: usize = 2_000;
/// Greatest number of incidents of an answer of the analytics.
const ANALYTICS_PAGE: usize = 1_000;

/// An incident and the time at which it was created, in whole seconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct CreatedIncident {
    /// Time at which it was created.
    pub created_at: Timestamp,
    /// Its id.
    pub id: String,
}

/// All incidents that were created in a part of a window of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedPart {
    /// The incidents, the oldest first.
    pub incidents: BTreeSet<CreatedIncident>,
    /// End of the part. Incidents that were created at this time belong to the next part, unless the window ends here.
    pub until: Timestamp,
}

#[derive(Deserialize)]
struct CreatedPage {
    incidents: Vec<CreatedIncident>,
    more: bool,
    total: Option<u64>,
}

impl Page for CreatedPage {
    fn has_more(&self) -> bool {
        self.more
    }

    fn total(&self) -> Option<u64> {
        self.total
    }
}

#[derive(Deserialize)]
struct AnalyticsPage {
    data: Vec<CreatedIncident>,
    more: bool,
    last: Option<String>,
}

impl RestClient {
    /// The incidents that were created in the beginning of a window of time, whatever their status. The part is
    /// shortened until it has at most 2,000.
    ///
    /// # Errors
    /// There is no usable answer, or more incidents were created in a second than PagerDuty lists.
    pub async fn created_incidents(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<CreatedPart, RestError> {
        let Some(whole) = Window::around(since, until) else {
            return Ok(CreatedPart { incidents: BTreeSet::new(), until });
        };
        let mut window = whole.first_part();
        loop {
            let (since, until) = (window.since(), window.until());
            let query = [
                ("sort_by", "created_at:asc"),
                ("total", "true"),
                ("since", since.as_str()),
                ("until", until.as_str()),
                ("time_zone", "UTC"),
            ];
            let earlier = window.earlier_half();
            let most = if earlier.is_some() { AT_ONCE } else { MOST_LISTED };
            let mut incidents = BTreeSet::new();
            let take = |page: CreatedPage| incidents.extend(page.incidents);
            match (self.pages(&["incidents"], &query, most, take).await?, earlier) {
                (Extent::Whole, _) => return Ok(part(incidents, window, whole)),
                (Extent::TooLong, Some(earlier)) => window = earlier,
                (Extent::TooLong, None) => {
                    return Err(too_full(&Request::get(&["incidents"], &query), window));
                }
            }
        }
    }

    /// As [`created_incidents`](Self::created_incidents), from the analytics. Incidents of the last day may be missing.
    /// The analytics are a part of some plans only, and need a key of the account.
    ///
    /// # Errors
    /// There is no usable answer.
    pub async fn incidents_from_analytics(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<CreatedPart, RestError> {
        let Some(whole) = Window::around(since, until) else {
            return Ok(CreatedPart { incidents: BTreeSet::new(), until });
        };
        let mut incidents: BTreeSet<CreatedIncident> = BTreeSet::new();
        let mut after: Option<String> = None;
        loop {
            let mut body = json!({
                "filters": {"created_at_start": whole.since(), "created_at_end": whole.until()},
                "limit": ANALYTICS_PAGE, "order": "asc", "order_by": "created_at", "time_zone": "Etc/UTC",
            });
            if let Some(after) = &after {
                body["starting_after"] = json!(after);
            }
            let path = ["analytics", "raw", "incidents"];
            let request = Request::post(&path, Some(body.to_string().into_bytes())).repeatable();
            let AnalyticsPage { data, more, last } = self.read(&request).await?;
            let found_before = incidents.len();
            incidents.extend(data);
            if !more {
                return Ok(part(incidents, whole, whole));
            }
            let cursor = last.filter(|_| incidents.len() > found_before).ok_or_else(|| {
                let problem = "last: leads to no further incidents, although there are more".to_owned();
                RestError::UnexpectedForm { request: request.to_string(), problem }
            })?;
            // The next answer may have more incidents of the last second.
            if let (Some(first), Some(last)) = (incidents.first(), incidents.last())
                && incidents.len() >= AT_ONCE
                && first.created_at < last.created_at
            {
                let until = last.created_at;
                incidents.retain(|incident| incident.created_at < until);
                return Ok(CreatedPart { incidents, until });
            }
            after = Some(cursor);
        }
    }
}

/// What was found in a window. Lists may have the incidents of the moment at which the window ends, which belong to the
/// next one.
fn part(mut incidents: BTreeSet<CreatedIncident>, window: Window, whole: Window) -> CreatedPart {
    let until = window.end();
    if window != whole {
        incidents.retain(|incident| incident.created_at < until);
    }
    CreatedPart { incidents, until }
}
