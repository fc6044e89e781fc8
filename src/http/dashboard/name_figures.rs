//! Table of the figures of a service or a team: each with its sample, its interval, and its change.

use maud::{Markup, html};

use super::format::{NO_DATA, count, duration};
use crate::domain::figures::{FigureChange, Report, RestoredShare, Row};
use crate::domain::statistics::Verdict;

/// Smallest sample whose rate is shown as a percentage.
const FEWEST_FOR_PERCENT: usize = 6;
/// Number of failures with a known answer below which a share is shown in grey.
const FEWEST_KNOWN: usize = 5;

/// A figure in words.
#[derive(Clone)]
struct Line {
    title: &'static str,
    /// One sentence on what it is.
    is: &'static str,
    value: String,
    /// `true` for a value from few failures.
    is_weak: bool,
    interval: String,
    sample: String,
    change: Markup,
}

/// The table.
pub(super) fn name_figures(report: &Report) -> Markup {
    html! {
        div.card {
            table.cards {
                caption.hidden { "The figures of this period" }
                thead { tr { th scope="col" { "Figure" } th scope="col" { "Value" } th scope="col" { "95 % interval" }
                    th scope="col" { "Sample" } th scope="col" { "Against the period before" } } }
                tbody { @for line in lines(&report.total) {
                    tr {
                        th scope="row" { (line.title) div.quiet { (line.is) } }
                        td data-label="Value" { @if line.is_weak { span.quiet { (line.value) } } @else { strong { (line.value) } } }
                        td data-label="95 % interval" { (line.interval) }
                        td data-label="Sample" { (line.sample) }
                        td data-label="Change" { (line.change) }
                    }
                } }
            }
        }
    }
}

fn lines(row: &Row) -> Vec<Line> {
    [rates(row).to_vec(), times(row).to_vec()].concat()
}

fn rates(row: &Row) -> [Line; 4] {
    let change = row.change.as_ref();
    let made = row.deployments.unwrap_or(0);
    let is_enough = made >= FEWEST_FOR_PERCENT;
    let fail_rate = row.change_fail_rate_low.zip(row.change_fail_rate_high).filter(|_| is_enough);
    let rework_rate =
        row.deployment_rework_rate_low.zip(row.deployment_rework_rate_high).filter(|_| is_enough);
    [
        Line {
            value: number(row.deployments_per_day),
            sample: things(made, "deployment"),
            ..Line::of("Deployments per day", "Deployments that ended in the period, per 24 hours.")
        },
        Line {
            value: fraction(row.change_fail_rate, made),
            interval: interval(fail_rate, percent),
            sample: pending(made, row.pending_deployments.unwrap_or(0)),
            change: changed(change.and_then(|change| change.change_fail_rate), percent),
            ..Line::of("Change fail rate", "Deployments that caused a failure, per deployment.")
        },
        Line {
            value: number(row.change_failure_rate),
            interval: interval(row.change_failure_rate_low.zip(row.change_failure_rate_high), plain),
            sample: unmatched(row, made),
            change: changed(change.and_then(|change| change.change_failure_rate), plain),
            ..Line::of("Change failure rate", "Failures per deployment. It may be above 1.")
        },
        Line {
            value: fraction(row.deployment_rework_rate, made),
            interval: interval(rework_rate, percent),
            sample: things(made, "deployment"),
            change: changed(change.and_then(|change| change.deployment_rework_rate), percent),
            ..Line::of("Rework rate", "Deployments that fixed a failure, per deployment.")
        },
    ]
}

fn times(row: &Row) -> [Line; 3] {
    let change = row.change.as_ref();
    let restore = &row.time_to_restore_seconds;
    let recovery = &row.failed_deployment_recovery_time_seconds;
    let hour = row.restored.within.hour;
    [
        Line {
            value: hour.map_or_else(|| NO_DATA.to_owned(), |share| percent(share.value)),
            is_weak: hour.is_some_and(|share| share.known < FEWEST_KNOWN),
            interval: interval(hour.map(|RestoredShare { low, high, .. }| (low, high)), percent),
            sample: followed(row.restored.n, row.restored.open),
            change: changed(change.and_then(|change| change.restored), percent),
            ..Line::of(
                "Restored within an hour",
                "Share of the failures that began in the period. Open ones count for as long as they are open.",
            )
        },
        Line {
            value: duration(restore.median),
            interval: interval(restore.median_low.zip(restore.median_high), length),
            sample: followed(restore.n, row.still_open),
            ..Line::of("Time to restore, median", "Of the failures that ended in the period.")
        },
        Line {
            value: duration(recovery.median),
            interval: interval(recovery.median_low.zip(recovery.median_high), length),
            sample: followed(recovery.n, recovery.open),
            ..Line::of(
                "Recovery of failed deployments, median",
                "From the end of a failed deployment to the end of its failures.",
            )
        },
    ]
}

impl Line {
    /// A line without numbers.
    fn of(title: &'static str, is: &'static str) -> Self {
        let none = || NO_DATA.to_owned();
        let change = html! { (NO_DATA) };
        Self { title, is, value: none(), is_weak: false, interval: none(), sample: none(), change }
    }
}

/// `4 of 23, 17.4 %`; of few, the fraction alone.
fn fraction(rate: Option<f64>, of: usize) -> String {
    let Some(rate) = rate else { return NO_DATA.to_owned() };
    let fraction = format!("{} of {of}", share_of(rate, of));
    if of < FEWEST_FOR_PERCENT { fraction } else { format!("{fraction}, {}", percent(rate)) }
}

/// Number of things of which a share is known: `x` of `n`, from `x / n`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the share is between 0 and 1, and counts are below 2^53"
)]
pub(super) fn share_of(rate: f64, n: usize) -> usize {
    (rate * n as f64).round() as usize
}

fn interval(bounds: Option<(f64, f64)>, word: fn(f64) -> String) -> String {
    let Some((low, high)) = bounds else { return NO_DATA.to_owned() };
    if low <= 0.0 { format!("at most {}", word(high)) } else { format!("{} to {}", word(low), word(high)) }
}

fn changed(change: Option<FigureChange>, word: fn(f64) -> String) -> Markup {
    let Some(FigureChange { before, verdict, .. }) = change else { return html! { (NO_DATA) } };
    let before = word(before);
    html! { @match verdict {
        Verdict::Higher => { strong { "↑ higher" } ", " (before) " before" }
        Verdict::Lower => { strong { "↓ lower" } ", " (before) " before" }
        Verdict::NoChangeShown => { "no change shown, " (before) " before" }
    } }
}

fn things(n: usize, what: &str) -> String {
    count(u64::try_from(n).unwrap_or(u64::MAX), what)
}

fn pending(made: usize, pending: usize) -> String {
    let of = things(made, "deployment");
    if pending == 0 { of } else { format!("{of}, {pending} may still fail") }
}

fn unmatched(row: &Row, made: usize) -> String {
    let sample = format!("{}, {}", things(row.matched_incidents, "failure"), things(made, "deployment"));
    match row.unmatched_incidents {
        0 => sample,
        1 => format!("{sample}; 1 failure has no deployment to count against"),
        n => format!("{sample}; {n} failures have no deployment to count against"),
    }
}

fn followed(n: usize, open: usize) -> String {
    format!("n = {n}, {open} still open")
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| NO_DATA.to_owned(), plain)
}

fn plain(value: f64) -> String {
    format!("{value:.2}")
}

fn percent(value: f64) -> String {
    super::format::percent(Some(value))
}

fn length(seconds: f64) -> String {
    duration(Some(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_few_has_no_percentage() {
        assert_eq!(fraction(Some(4.0 / 23.0), 23), "4 of 23, 17.4 %");
        assert_eq!(fraction(Some(1.0 / 3.0), 3), "1 of 3");
        assert_eq!(fraction(None, 0), NO_DATA);
    }

    #[test]
    fn an_interval_from_zero_is_an_upper_bound() {
        assert_eq!(interval(Some((0.0, 0.2425)), percent), "at most 24.2 %");
        assert_eq!(interval(Some((0.07, 0.371)), percent), "7.0 % to 37.1 %");
        assert_eq!(interval(None, percent), NO_DATA);
    }

    #[test]
    fn an_arrow_needs_a_verdict() {
        let change = |verdict| {
            let change = FigureChange { before: 0.1, difference: 0.2, low: 0.0, high: 0.4, verdict };
            changed(Some(change), percent).into_string()
        };
        assert_eq!(change(Verdict::NoChangeShown), "no change shown, 10.0 % before");
        assert_eq!(change(Verdict::Higher), "<strong>↑ higher</strong>, 10.0 % before");
    }
}
