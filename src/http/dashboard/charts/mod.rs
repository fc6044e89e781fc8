//! Charts in SVG: pure functions from plain data to markup, without scripts, inline styles and external resources.
//!
//! Each chart is a `figure` with a heading, one sentence that says what is to be seen, the picture, a legend, and the
//! same numbers as a table. Its `id` and its title must be unique on the page: other elements get ids that begin with
//! the id, and names that begin with the title. The charts escape and cut all texts. They take addresses as they are,
//! so that the caller can make them relative.
//!
//! | chart | input | shows |
//! |---|---|---|
//! | [`rate_chart::rate_chart`] | [`rate_data::RateChart`]: the unit, and a rate or `None` for each period | a rate with its interval as a band; a gap where there is no rate |
//! | [`restore_chart::restore_chart`] | [`restore_data::RestoreChart`]: failures, and periods with their medians | a dot for each failure, on a logarithmic axis; the medians as steps |
//! | [`stacked_bars::stacked_bars`] | [`stacked_bars::DeploymentBars`]: three counts for each period | failed, fine and pending deployments, stacked |
//! | [`funnel::funnel`] | [`funnel::Funnel`]: two counts for each service | services outside the limits of chance, by name |
//! | [`interval_bar::interval_bar`] | [`interval_bar::IntervalBar`]: a value, its bounds, the end of the scale | a bar as high as a line of text, for a tile or a table cell |
//!
//! Periods are a [`period::ChartPeriod`] each, in order, also those in which nothing happened. A period is hatched, and
//! its texts say why, if it is not over (`is_partial`) or if deployments may still fail (`pending`).
//!
//! ```text
//! let head = Head { id: "fail-rate", title: "Change fail rate", every: "week" };
//! let chart = RateChart { head, unit: RateUnit::Share, periods: &periods };
//! html! { div.charts { div.card { (rate_chart(&chart)) } div.card { (funnel(&services)) } } }
//! ```
//!
//! `div.charts` puts charts side by side where there is room. The picture keeps its ratio, and is never so small that
//! its text cannot be read: on a phone it scrolls sideways. Links within a picture are for the mouse. By keyboard and
//! with a screen reader, the same links are in the table, so that nobody has to step over hundreds of dots.
//!
//! The style is in `charts.css`. The size of the output is bounded for any number of failures and services.

mod axis;
mod cells;
pub(super) mod frame;
pub(super) mod funnel;
mod funnel_labels;
pub(super) mod interval_bar;
pub(super) mod period;
pub(super) mod rate_chart;
pub(super) mod rate_data;
pub(super) mod restore_chart;
pub(super) mod restore_data;
mod restore_dots;
mod scale;
pub(super) mod stacked_bars;
mod text;
mod unfinished;

#[cfg(test)]
mod gallery;
#[cfg(test)]
mod sample;
