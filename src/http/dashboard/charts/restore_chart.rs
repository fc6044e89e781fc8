//! The time to restore of each failure, and the median of each period.

use maud::{Markup, html};

use super::axis::{below, duration_ticks, range, right_labels, rows};
use super::cells::MOST_DOTS;
use super::frame::{Chart, Sign, empty, figure, hatch};
use super::period::span;
use super::restore_data::{FailureDot, RestoreChart};
use super::restore_dots::dots;
use super::scale::{BOTTOM, LEFT, RIGHT, Scale, TOP, place};
use super::text::{count_of, cut};
use crate::http::dashboard::parts::format::duration;

/// Largest number of failures in the table.
const MOST_ROWS: usize = 50;
/// Longest name of a failure in the table, in columns.
const LONGEST_NAME: usize = 60;

/// The chart.
pub(in crate::http::dashboard) fn restore_chart(chart: &RestoreChart) -> Markup {
    let RestoreChart { head, periods, failures, .. } = *chart;
    if failures.is_empty() {
        return empty(head, "No failures.");
    }
    let (least, greatest) = extent(failures);
    let ticks = duration_ticks(least, greatest);
    let y = Scale::logarithmic(range(&ticks), (BOTTOM, TOP));
    let x = Scale::linear((0.0, chart.span_seconds), (LEFT, RIGHT));
    let is_merged = failures.len() > MOST_DOTS;
    let labels: Vec<_> = (0..periods.len())
        .map(|n| {
            let (from, to) = edges(chart, n, x);
            (f64::midpoint(from, to), periods[n].period.short())
        })
        .collect();
    let mut legend = vec![(Sign::Dot, "failure")];
    if is_merged {
        legend.push((Sign::ManyDots, "several failures"));
    }
    if failures.iter().any(|failure| failure.is_open) {
        legend.push((Sign::OpenDot, "still open, age so far"));
    }
    legend.push((Sign::Median, "median"));
    if periods.iter().any(|shown| shown.period.is_partial) {
        legend.push((Sign::Hatched, "not over yet"));
    }
    figure(&Chart {
        head,
        sentence: &sentence(chart),
        shapes: html! {
            @for n in (0..periods.len()).filter(|n| periods[*n].period.is_partial) {
                @let (from, to) = edges(chart, n, x);
                rect x=(place(from)) y=(place(TOP)) width=(place(to - from)) height=(place(BOTTOM - TOP))
                    fill=(hatch(head.id)) {}
            }
            (rows(&ticks, &y))
            (below(&labels))
        },
        marks: html! {
            // A line on top would hide single dots, and many dots would hide the line.
            @if is_merged { (dots(failures, periods, x, y)) }
            path.chart-median d=(medians(chart, x, y)) {}
            @if !is_merged { (dots(failures, periods, x, y)) }
            (right_labels(&ticks, &y))
        },
        legend: &legend,
        note: "",
        table: tables(chart),
    })
}

/// Least and greatest time.
fn extent(failures: &[FailureDot]) -> (f64, f64) {
    let times = || failures.iter().map(|failure| failure.seconds);
    (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max))
}

/// Places of the start and of the end of a period.
fn edges(chart: &RestoreChart, n: usize, x: Scale) -> (f64, f64) {
    let starts = |n: usize| chart.periods.get(n).map_or(chart.span_seconds, |shown| shown.starts_at_seconds);
    (x.at(starts(n)), x.at(starts(n + 1)))
}

/// The medians as a line of steps, with gaps where there is none.
fn medians(chart: &RestoreChart, x: Scale, y: Scale) -> String {
    let mut is_drawing = false;
    let steps = chart.periods.iter().enumerate().map(|(n, shown)| {
        let Some(median) = shown.median_seconds else {
            is_drawing = false;
            return String::new();
        };
        let ((from, to), height) = (edges(chart, n, x), place(y.at(median)));
        let start = if is_drawing { format!("V{height}") } else { format!("M{} {height}", place(from)) };
        is_drawing = true;
        format!("{start}H{}", place(to))
    });
    steps.collect()
}

fn sentence(chart: &RestoreChart) -> String {
    let open = chart.failures.iter().filter(|failure| failure.is_open).count();
    let (least, greatest) = extent(chart.failures);
    let (least, greatest) = (duration(Some(least)), duration(Some(greatest)));
    let times = if least == greatest { greatest } else { format!("{least} to {greatest}") };
    let failures = count_of(chart.failures.len(), "failure");
    let span = span(chart.periods.iter().map(|shown| &shown.period));
    format!("By {}, {span}: {failures}, {open} still open, {times}.", chart.head.every)
}

/// The medians, and the longest failures.
fn tables(chart: &RestoreChart) -> Markup {
    let mut longest: Vec<&FailureDot> = chart.failures.iter().collect();
    longest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    longest.truncate(MOST_ROWS);
    let caption = if longest.len() < chart.failures.len() { "The longest failures" } else { "All failures" };
    html! {
        table {
            thead { tr {
                th scope="col" { "Period" }
                @for name in ["Median", "Restored", "Still open"] { th.number scope="col" { (name) } }
                th scope="col" { "Note" }
            } }
            tbody { @for shown in chart.periods {
                tr {
                    td.time { a href=(shown.period.href) { (shown.period.name) } }
                    td.number { (duration(shown.median_seconds)) }
                    td.number { (shown.restored) }
                    td.number { (shown.open) }
                    td { (shown.period.note()) }
                }
            } }
        }
        table {
            caption { (caption) }
            thead { tr { th scope="col" { "Failure" } th scope="col" { "Time to restore" } } }
            tbody { @for failure in longest {
                tr { td.text { a href=(failure.href) { (cut(&failure.name, LONGEST_NAME)) } } td { (failure.time()) } }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{WEEK, failures, head, holds, lines, medians};
    use super::*;

    fn drawn(failures: &[FailureDot], weeks: usize) -> Markup {
        let periods = medians(failures, weeks);
        let span_seconds = periods.iter().map(|_| WEEK).sum();
        restore_chart(&RestoreChart {
            head: head("restore", "Time to restore"),
            span_seconds,
            periods: &periods,
            failures,
        })
    }

    fn failure(week: f64, seconds: f64) -> FailureDot {
        let name = "Checkout <b>down</b>".to_owned();
        FailureDot { name, href: "failures/1".to_owned(), at_seconds: week * WEEK, seconds, is_open: false }
    }

    #[test]
    fn a_chart_with_an_open_failure_and_a_week_without_a_median() {
        let open = FailureDot { is_open: true, ..failure(2.5, 86_400.0) };
        let failures = [failure(0.2, 300.0), failure(0.9, 4_000.0), failure(1.5, 900.0), open];
        insta::assert_snapshot!(lines(&drawn(&failures, 3)));
    }

    #[test]
    fn any_number_of_failures_can_be_drawn() {
        for (count, weeks) in
            [(0, 0), (0, 1), (1, 0), (1, 1), (600, 13), (601, 400), (10_000, 13), (10_000, 400)]
        {
            let drawn = drawn(&failures(count, weeks), weeks);
            holds(&drawn);
            let dots = drawn.0.matches("<circle").count();
            assert!(dots < 1_500, "{dots} dots");
        }
    }

    #[test]
    fn times_that_are_all_equal_or_zero_can_be_drawn() {
        for seconds in [0.0, 60.0, 1e12, f64::NAN] {
            holds(&drawn(&[failure(0.5, seconds), failure(0.6, seconds)], 1));
        }
    }

    #[test]
    fn merged_dots_say_how_many_and_lead_to_the_list_of_their_period() {
        let drawn = drawn(&vec![failure(1.5, 900.0); 700], 3).0;
        let merged = "<a href=\"failures?since=1\" tabindex=\"-1\"><title>2026-09-08: 700 failures, 15m 00s to 15m 00s</title>";
        assert!(drawn.contains(merged), "{drawn}");
        assert!(drawn.contains("The longest failures"));
    }

    #[test]
    fn merged_dots_of_several_periods_lead_nowhere() {
        let mut failures = vec![failure(0.999, 900.0); 350];
        failures.extend(vec![failure(1.001, 900.0); 350]);
        let drawn = drawn(&failures, 300).0;
        assert!(drawn.contains("<g><title>700 failures, 15m 00s to 15m 00s</title>"), "{drawn}");
    }
}
