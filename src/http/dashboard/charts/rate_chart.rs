//! A rate for each period, with its 95 % interval.

use maud::{Markup, html};

use super::axis::{below, linear_ticks, range, right_labels, rows};
use super::frame::{Chart, Sign, area, empty, figure};
use super::period::span;
use super::rate_data::{FEWEST_DEPLOYMENTS, Rate, RateChart, RatePeriod, RateUnit};
use super::scale::{BOTTOM, Columns, Scale, TOP, path, place};
use super::text::count_of;
use super::unfinished::{hatching, sign};
use crate::http::dashboard::parts::format::NO_DATA;

/// An interval is shown up to so many times the highest rate.
const RATE_HEADROOM: f64 = 2.5;
/// An interval is shown up to so many times the usual upper bound.
const INTERVAL_HEADROOM: f64 = 1.5;

/// Width of a column below which a point is only drawn under the mouse, because points would hide the line.
const NARROW: f64 = 9.0;

/// A rate with its place.
struct Point<'a> {
    x: f64,
    y: f64,
    low: f64,
    high: f64,
    shown: &'a RatePeriod,
}

/// The chart.
pub(in crate::http::dashboard) fn rate_chart(chart: &RateChart) -> Markup {
    let RateChart { head, unit, periods } = *chart;
    let rates: Vec<Rate> = periods.iter().filter_map(|period| period.rate).collect();
    if rates.is_empty() {
        return empty(head, "No period has data for this rate.");
    }
    let known: Vec<Rate> = periods.iter().filter_map(RatePeriod::known).collect();
    let ticks = linear_ticks(top(unit, if known.is_empty() { &rates } else { &known }), unit.on_axis());
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
            (right_labels(&ticks, &scale))
        },
        marks: html! {
            @for (n, shown) in periods.iter().enumerate() { (mark(unit, shown, points[n].as_ref(), n, columns)) }
        },
        legend: &legend(periods),
        note: &note(periods, is_cut),
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
    points.map(|(found, shown)| found.map(|(x, y, low, high)| Point { x, y, low, high, shown })).collect()
}

/// The point of a rate that is of enough deployments.
fn known<'a, 'b>(point: Option<&'a Point<'b>>) -> Option<&'a Point<'b>> {
    point.filter(|point| !point.shown.has_few())
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

/// Lines between rates of periods in a row, dashed where one may still change. None leads to a rate of few deployments.
fn lines(points: &[Option<Point>]) -> Markup {
    let drawn = |is_dashed: bool| {
        let pairs =
            points.windows(2).filter_map(|pair| Some((known(pair[0].as_ref())?, known(pair[1].as_ref())?)));
        let is_unfinished = |point: &Point| point.shown.period.is_unfinished();
        let pairs = pairs.filter(|(one, other)| (is_unfinished(one) || is_unfinished(other)) == is_dashed);
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
    let interval = unit.interval(rate);
    let text = match shown.known() {
        Some(rate) => format!("{}, 95 %: {interval}, {}", unit.text(rate.value), shown.sample),
        None => format!("too few for a rate, 95 %: {interval}, {}", shown.sample),
    };
    let class = match (period.is_unfinished(), columns.width() < NARROW) {
        _ if shown.has_few() => None,
        (true, _) => Some("chart-point chart-open-point"),
        (false, true) => Some("chart-point chart-small-point"),
        (false, false) => Some("chart-point"),
    };
    html! {
        a href=(period.href) tabindex="-1" {
            title { (period.about(&text)) }
            (hit)
            @if let Some(class) = class {
                circle class=(class) cx=(place(point.x)) cy=(place(point.y)) r="3" {}
            }
        }
    }
}

fn sentence(chart: &RateChart) -> String {
    let RateChart { head, unit, periods } = *chart;
    let rates = || periods.iter().filter_map(RatePeriod::settled);
    let [lowest, highest] = [rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max)];
    let extent = match (unit.text(lowest), unit.text(highest)) {
        _ if rates().next().is_none() => {
            format!("no {} that is over has {FEWEST_DEPLOYMENTS} deployments", head.every)
        }
        (lowest, highest) if lowest == highest => highest,
        (lowest, highest) => format!("{lowest} to {highest}"),
    };
    let number = |is_so: fn(&RatePeriod) -> bool, words: &str| {
        let number = periods.iter().filter(|shown| is_so(shown)).count();
        if number == 0 { String::new() } else { format!(", {} {words}", count_of(number, head.every)) }
    };
    let gaps = number(|shown| shown.rate.is_none(), "without data");
    let few = number(RatePeriod::has_few, "with few deployments");
    let span = span(periods.iter().map(|shown| &shown.period));
    format!("By {}, {span}: {extent}{gaps}{few}.", head.every)
}

fn legend(periods: &[RatePeriod]) -> Vec<(Sign, &'static str)> {
    let mut legend = vec![(Sign::Line, "rate"), (Sign::Band, "95 % interval")];
    legend.extend(sign(periods.iter().map(|shown| &shown.period)));
    legend
}

/// Facts about the picture that cannot be seen in it.
fn note(periods: &[RatePeriod], is_cut: bool) -> String {
    let few = periods.iter().any(RatePeriod::has_few);
    let few =
        few.then(|| format!("With fewer than {FEWEST_DEPLOYMENTS} deployments, only the interval is drawn."));
    let cut = is_cut
        .then(|| "Intervals that reach above the chart are cut. The table has their bounds.".to_owned());
    few.into_iter().chain(cut).collect::<Vec<_>>().join(" ")
}

/// The rate of a period in the table.
fn in_table(unit: RateUnit, shown: &RatePeriod) -> String {
    match shown.known() {
        Some(rate) => unit.text(rate.value),
        None if shown.has_few() => "too few".to_owned(),
        None => NO_DATA.to_owned(),
    }
}

fn table(chart: &RateChart) -> Markup {
    let RateChart { head, unit, periods } = *chart;
    html! {
        table {
            thead { tr {
                th scope="col" { "Period" } th.number scope="col" { (head.title) }
                th.number scope="col" { (unit.interval_heading()) } th scope="col" { "Sample" } th scope="col" { "Note" }
            } }
            tbody { @for shown @ RatePeriod { period, rate, sample, .. } in periods {
                tr {
                    td.time { a href=(period.href) { (period.name) } }
                    td.number { (in_table(unit, shown)) }
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
    fn a_week_with_few_deployments_has_an_interval_and_no_point() {
        let mut periods = rates(&[(1, 20), (2, 20), (4, 4), (1, 20), (5, 5)]);
        let drawn_periods = drawn(RateUnit::Share, &periods).0;
        assert!(
            drawn_periods.contains("2026-09-15: too few for a rate, 95 %: 51 to 100, 4 of 4 deployments<")
        );
        assert_eq!(
            drawn_periods.matches("<circle class=\"chart-point").count(),
            4 + 1,
            "four, and the legend"
        );
        assert!(drawn_periods.contains("5.0 % to 10 %, 1 week with few deployments."), "{drawn_periods}");
        assert!(drawn_periods.contains("With fewer than 5 deployments, only the interval is drawn."));
        assert!(
            drawn_periods.contains("<td class=\"number\">too few</td><td class=\"number\">51 to 100</td>")
        );
        periods.truncate(3);
        periods[0].period.is_partial = true;
        periods[1].period.pending = 1;
        let drawn = drawn(RateUnit::Share, &periods).0;
        assert!(drawn.contains(": no week that is over has 5 deployments, 1 week with few"), "{drawn}");
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
        let mut periods = rates(&[(1, 5), (1, 5)]);
        periods[0].rate = Rate::new(2.5, 1.1, 4.0);
        let drawn = drawn(RateUnit::PerDeployment, &periods).0;
        assert!(drawn.contains("2026-09-01: 2.50, 95 %: 1.10 to 4.00, 1 of 5 deployments<"), "{drawn}");
        assert!(drawn.contains(">4</text>"), "{drawn}");
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
