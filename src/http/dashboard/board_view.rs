//! Figures of one choice of period and filters, as tiles and charts show them.

use super::overview_query::OverviewQuery;
use super::site::Site;
use crate::domain::timestamp::Timestamp;
use crate::http::boards::Board;
use crate::http::cached_figures::Computed;

/// The figures on a page.
#[derive(Clone, Copy)]
pub(super) struct BoardView<'a> {
    /// Place of the page.
    pub(super) site: &'a Site,
    /// The figures, with the time of their computation.
    pub(super) figures: &'a Computed<Board>,
    /// Choice of period and filters. Links to listings keep its filters.
    pub(super) query: &'a OverviewQuery,
    /// Present time.
    pub(super) now: Timestamp,
}
