//! Figures of one choice of period and filters, as tiles and charts show them.

use super::query::OverviewQuery;
use crate::domain::timestamp::Timestamp;
use crate::http::boards::Board;
use crate::http::cached_figures::Computed;
use crate::http::dashboard::parts::site::Site;

/// The figures on a page.
#[derive(Clone, Copy)]
pub(in crate::http::dashboard) struct BoardView<'a> {
    /// Place of the page.
    pub(in crate::http::dashboard) site: &'a Site,
    /// The figures, with the time of their computation.
    pub(in crate::http::dashboard) figures: &'a Computed<Board>,
    /// Choice of period and filters. Links to listings keep its filters.
    pub(in crate::http::dashboard) query: &'a OverviewQuery,
    /// Present time.
    pub(in crate::http::dashboard) now: Timestamp,
}
