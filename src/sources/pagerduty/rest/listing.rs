//! Lists that PagerDuty gives in pages. It lists at most 10,000 entries.

use serde::de::DeserializeOwned;

use super::client::RestClient;
use super::error::RestError;
use super::request::Request;

/// Greatest number of entries of a page.
const PAGE: usize = 100;
/// Greatest number of entries that PagerDuty lists: offset and limit together.
pub(super) const MOST_LISTED: usize = 10_000;

/// A page of a list.
pub(super) trait Page: DeserializeOwned {
    /// `true` if there is another page.
    fn has_more(&self) -> bool;

    /// Number of entries on all pages, if the request asked for it.
    fn total(&self) -> Option<u64> {
        None
    }
}

/// Extent of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All entries.
    Whole,
    /// The list is longer than was wanted, or than PagerDuty shows.
    TooLong,
}

impl RestClient {
    /// Reads the pages of a list, and gives each to `take`. A list with more than `most` entries is given up as soon as
    /// this is known.
    pub(super) async fn pages<P: Page>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        most: usize,
        mut take: impl FnMut(P) + Send,
    ) -> Result<Extent, RestError> {
        let limit = PAGE.to_string();
        for offset in (0..most).step_by(PAGE) {
            let offset = offset.to_string();
            let paging = [("limit", limit.as_str()), ("offset", offset.as_str())];
            let query = [query, &paging].concat();
            let page: P = self.read(&Request::get(path, &query)).await?;
            if page.total().is_some_and(|total| total > most as u64) {
                return Ok(Extent::TooLong);
            }
            let has_more = page.has_more();
            take(page);
            if !has_more {
                return Ok(Extent::Whole);
            }
        }
        Ok(Extent::TooLong)
    }
}
