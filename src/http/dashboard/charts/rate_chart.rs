//! A rate for each period, with its 95 % interval.

use maud::{Markup, html};

use super::axis::{Unit, below, linear_ticks, range, rows};
use super::frame::{Chart, Head, Sign, area, empty, figure};
use super::period::{ChartPeriod, span};
use super::scale::{BOTTOM, Columns, Scale, TOP, path, place};
use super::text::count_of;
use super::unfinished::{hatching, sign};
use crate::http::dashboard::format::{NO_DATA, percent};

/// An interval is shown up to so many times the highest rate.
const RATE_HEADROOM: f64 = 2.5;
/// An interval is shown up to so many times the usual upper bound.
const INTERVAL_HEADROOM: f64 = 1.5;

/// Width of a column below which a point is only drawn under the mouse, because points would hide the line.
const NARROW: f64 = 9.0;

/// A rate over time.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::dashboard) struct RateChart<'a> {
    /// Name of the chart.
    pub(in crate::http::dashboard) head: Head<'a>,
    /// Unit of the rates.
    pub(in crate::http::dashboard) unit: RateUnit,
    /// All periods, in order.
    pub(in crate::http::dashboard) periods: &'a [RatePeriod],
}

/// Unit of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::dashboard) enum RateUnit {
    /// Share of a whole, shown as percent.
    Share,
    /// Number for each deployment, which may be above 1.
    PerDeployment,
}

/// A period and its rate.
#[derive(Debug, Clone)]
pub(in crate::http::dashboard) struct RatePeriod {
    /// The period.
    pub(in crate::http::dashboard) period: ChartPeriod,
    /// The rate. `None` if there is no data, which is not zero.
    pub(in crate::http::dashboard) rate: Option<Rate>,
    /// Sample, for people: `4 of 23 deployments`.
    pub(in crate::http::dashboard) sample: String,
}

/// A rate within its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::http::dashboard) struct Rate {
    value: f64,
    low: f64,
    high: f64,
}

impl Rate {
    /// `None` if one of the numbers is negative, infinite or NaN.
    pub(in crate::http::dashboard) fn new(value: f64, low: f64, high: f64) -> Option<Self> {
        let is_drawable = [value, low, high].iter().all(|number| number.is_finite() && *number >= 0.0);
        is_drawable.then(|| Self { value, low: low.min(value), high: high.max(value) })
    }
}

impl RateUnit {
    fn text(self, rate: f64) -> String {
        match self {
            Self::Share => percent(Some(rate)),
            Self::PerDeployment => format!("{rate:.2}"),
        }
    }

    const fn on_axis(self) -> Unit {
        match self {
            Self::Share => Unit::Percent,
            Self::PerDeployment => Unit::Number,
        }
    }

    fn interval(self, rate: Rate) -> String {
        format!("{} to {}", self.text(rate.low), self.text(rate.high))
    }
}

/// A rate with its place.
struct Point<'a> {
    x: f64,
    y: f64,
    low: f64,
    high: f64,
    period: &'a ChartPeriod,
}

/// The chart.
pub(in crate::http::dashboard) fn rate_chart(chart: &RateChart) -> Markup {
    let RateChart { head, unit, periods } = *chart;
    let rates: Vec<Rate> = periods.iter().filter_map(|period| period.rate).collect();
    if rates.is_empty() {
        return empty(head, "No period has data for this rate.");
    }
    let ticks = linear_ticks(top(unit, &rates), unit.on_axis());
    let (from, to) = range(&ticks);
    let scale = Scale::linear((from, to), (BOTTOM, TOP));
    let columns = Columns::new(periods.len());
    let points = points(periods, columns, scale);
    let labels: Vec<_> =
        periods.iter().enumerate().map(|(n, shown)| (columns.centre(n), shown.period.short())).collect();
    let is_cut = rates.iter().any(|rate| rate.high > to);
    figure(&Chart {
        head,
        sentence: &sentence(chart),
        shapes: html! {
            (hatching(periods.iter().map(|shown| shown.period.is_unfinished()), columns, head.id))
            (rows(&ticks, &scale))
            (below(&labels))
            g clip-path=(area(head.id)) { (bands(&points)) (lines(&points)) }
        },
        marks: html! {
            @for (n, shown) in periods.iter().enumerate() { (mark(unit, shown, points[n].as_ref(), n, columns)) }
        },
        legend: &legend(periods),
        note: if is_cut {
            "Intervals that reach above the chart are cut. The table has their bounds."
        } else {
            ""
        },
        table: table(chart),
    })
}

/// Highest value on the axis. The interval of a small sample may be so wide that the rates of all other periods would
/// be a flat line, so it is cut if it reaches far above the rates and above the other intervals. There is a rate.
fn top(unit: RateUnit, rates: &[Rate]) -> f64 {
    let mut bounds: Vec<f64> = rates.iter().map(|rate| rate.high).collect();
    bounds.sort_by(f64::total_cmp);
    let (usual, highest) = (bounds[bounds.len() / 2], bounds[bounds.len() - 1]);
    let value = rates.iter().map(|rate| rate.value).fold(0.0, f64::max);
    let top = highest.min((value * RATE_HEADROOM).max(usual * INTERVAL_HEADROOM));
    if unit == RateUnit::Share { top.min(1.0) } else { top }
}

fn points(periods: &[RatePeriod], columns: Columns, scale: Scale) -> Vec<Option<Point<'_>>> {
    let point = |(n, shown): (usize, &'_ RatePeriod)| {
        let rate = shown.rate?;
        let [y, low, high] = [rate.value, rate.low, rate.high].map(|number| scale.at(number));
        Some((columns.centre(n), y, low, high))
    };
    let places: Vec<_> = periods.iter().enumerate().map(point).collect();
    let points = places.into_iter().zip(periods);
    points
        .map(|(found, shown)| found.map(|(x, y, low, high)| Point { x, y, low, high, period: &shown.period }))
        .collect()
}

/// The intervals: an area over periods in a row, a line for a period between two gaps.
fn bands(points: &[Option<Point>]) -> Markup {
    let runs = points.split(Option::is_none).map(|run| run.iter().flatten().collect::<Vec<_>>());
    html! {
        @for run in runs {
            @match run.as_slice() {
                [] => {},
                [only] => {
                    line.chart-interval x1=(place(only.x)) x2=(place(only.x)) y1=(place(only.high)) y2=(place(only.low)) {}
                },
                run => {
                    @let there = run.iter().map(|point| (point.x, point.high));
                    @let back = run.iter().rev().map(|point| (point.x, point.low));
                    path.chart-band d={ (path(there.chain(back))) "Z" } {}
                },
            }
        }
    }
}

/// Lines between rates of periods in a row, dashed where one may still change.
fn lines(points: &[Option<Point>]) -> Markup {
    let drawn = |is_dashed: bool| {
        let pairs = points.windows(2).filter_map(|pair| Some((pair[0].as_ref()?, pair[1].as_ref()?)));
        let pairs = pairs
            .filter(|(one, other)| (one.period.is_unfinished() || other.period.is_unfinished()) == is_dashed);
        pairs.map(|(one, other)| path([(one.x, one.y), (other.x, other.y)].into_iter())).collect::<String>()
    };
    let (whole, dashed) = (drawn(false), drawn(true));
    html! {
        @if !whole.is_empty() { path.chart-line d=(whole) {} }
        @if !dashed.is_empty() { path.chart-line.chart-dashed d=(dashed) {} }
    }
}

/// The dot of a period, and the column over it that can be clicked.
fn mark(unit: RateUnit, shown: &RatePeriod, point: Option<&Point>, n: usize, columns: Columns) -> Markup {
    let period = &shown.period;
    let hit = html! {
        rect.chart-hit x=(place(columns.left(n))) y=(place(TOP)) width=(place(columns.width()))
            height=(place(BOTTOM - TOP)) {}
    };
    let Some((rate, point)) = shown.rate.zip(point) else {
        return html! { g { title { (period.about(&format!("no data, {}", shown.sample))) } (hit) } };
    };
    let text = format!("{}, 95 %: {}, {}", unit.text(rate.value), unit.interval(rate), shown.sample);
    let class = match (period.is_unfinished(), columns.width() < NARROW) {
        (true, _) => "chart-point chart-open-point",
        (false, true) => "chart-point chart-small-point",
        (false, false) => "chart-point",
    };
    html! {
        a href=(period.href) tabindex="-1" {
            title { (period.about(&text)) }
            (hit)
            circle class=(class) cx=(place(point.x)) cy=(place(point.y)) r="3" {}
        }
    }
}

fn sentence(chart: &RateChart) -> String {
    let RateChart { head, unit, periods } = *chart;
    let rates = || periods.iter().filter_map(|shown| Some(shown.rate?.value));
    let [lowest, highest] = [rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max)];
    let (lowest, highest) = (unit.text(lowest), unit.text(highest));
    let extent = if lowest == highest { highest } else { format!("{lowest} to {highest}") };
    let gaps = periods.iter().filter(|shown| shown.rate.is_none()).count();
    let gaps =
        if gaps == 0 { String::new() } else { format!(", {} without data", count_of(gaps, head.every)) };
    let span = span(periods.iter().map(|shown| &shown.period));
    format!("By {}, {span}: {extent}{gaps}.", head.every)
}

fn legend(periods: &[RatePeriod]) -> Vec<(Sign, &'static str)> {
    let mut legend = vec![(Sign::Line, "rate"), (Sign::Band, "95 % interval")];
    legend.extend(sign(periods.iter().map(|shown| &shown.period)));
    legend
}

fn table(chart: &RateChart) -> Markup {
    let RateChart { head, unit, periods } = *chart;
    html! {
        table {
            thead { tr {
                th scope="col" { "Period" } th.number scope="col" { (head.title) }
                th.number scope="col" { "95 % interval" } th scope="col" { "Sample" } th scope="col" { "Note" }
            } }
            tbody { @for RatePeriod { period, rate, sample } in periods {
                tr {
                    td.time { a href=(period.href) { (period.name) } }
                    td.number { (rate.map_or_else(|| NO_DATA.to_owned(), |rate| unit.text(rate.value))) }
                    td.number { (rate.map_or_else(|| NO_DATA.to_owned(), |rate| unit.interval(rate))) }
                    td { (sample) }
                    td { (period.note()) }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{head, holds, lines, rates};
    use super::*;

    fn drawn(unit: RateUnit, periods: &[RatePeriod]) -> Markup {
        rate_chart(&RateChart { head: head("fail-rate", "Change fail rate"), unit, periods })
    }

    #[test]
    fn a_chart_with_gaps_and_unfinished_weeks() {
        let mut periods = rates(&[(1, 12), (2, 15), (0, 0), (0, 1), (0, 0), (1, 9), (1, 4)]);
        periods[5].period.pending = 2;
        insta::assert_snapshot!(lines(&drawn(RateUnit::Share, &periods)));
    }

    #[test]
    fn any_number_of_periods_can_be_drawn() {
        for count in [0_u32, 1, 2, 13, 90, 400] {
            for failed in [|_| 0, |_| 5, |n: u32| n % 6] {
                let counts: Vec<_> = (0..count).map(|n| (failed(n), 5)).collect();
                holds(&drawn(RateUnit::Share, &rates(&counts)));
                holds(&drawn(RateUnit::PerDeployment, &rates(&counts)));
            }
        }
    }

    #[test]
    fn only_an_unusual_interval_is_cut() {
        let is_cut = |counts: &[(u32, u32)]| drawn(RateUnit::Share, &rates(counts)).0.contains("are cut");
        assert!(!is_cut(&[(0, 1)]) && !is_cut(&[(1, 7)]) && !is_cut(&[(1, 5), (0, 4), (2, 5)]));
        assert!(is_cut(&[(1, 30), (0, 2), (2, 31)]));
    }

    #[test]
    fn no_line_crosses_a_gap() {
        let drawn = drawn(RateUnit::Share, &rates(&[(1, 5), (0, 0), (1, 5), (0, 0)])).0;
        assert!(
            !drawn.contains("chart-line\" d=\"M4") && !drawn.contains("path class=\"chart-band\" d"),
            "{drawn}"
        );
        assert_eq!(drawn.matches("class=\"chart-interval\"").count(), 2);
        assert!(drawn.contains("no data, 0 of 0 deployments"));
    }

    #[test]
    fn a_rate_for_each_deployment_may_be_above_one() {
        let mut periods = rates(&[(1, 2), (1, 2)]);
        periods[0].rate = Rate::new(2.5, 1.1, 4.0);
        let drawn = drawn(RateUnit::PerDeployment, &periods).0;
        assert!(drawn.contains("2026-09-01: 2.50, 95 %: 1.10 to 4.00, 1 of 2 deployments<"), "{drawn}");
        assert!(drawn.contains(">4</text>"), "{drawn}");
    }

    #[test]
    fn a_rate_is_a_number_within_its_interval() {
        assert_eq!(Rate::new(f64::NAN, 0.0, 1.0), None);
        assert_eq!(Rate::new(0.0, 0.0, f64::INFINITY), None);
        assert_eq!(Rate::new(0.2, 0.3, 0.1), Rate::new(0.2, 0.2, 0.2));
    }

    #[test]
    fn names_are_escaped_and_cut() {
        let mut periods = rates(&[(1, 5)]);
        periods[0].period.label = "<b>a label that is far too long".to_owned();
        periods[0].period.name = "\"><script>".to_owned();
        let drawn = drawn(RateUnit::Share, &periods).0;
        assert!(drawn.contains("&lt;b&gt;a label that…") && !drawn.contains("<script>"), "{drawn}");
    }
}
