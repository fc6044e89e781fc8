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

fn lines(row: &Row) -> [Line; 7] {
    let change = row.change.as_ref();
    let none = || html! { (NO_DATA) };
    let made = row.deployments.unwrap_or(0);
    let restore = &row.time_to_restore_seconds;
    let recovery = &row.failed_deployment_recovery_time_seconds;
    let hour = row.restored.within.hour;
    [
        Line {
            title: "Deployments per day",
            is: "Deployments that ended in the period, per 24 hours.",
            value: number(row.deployments_per_day),
            is_weak: false,
            interval: NO_DATA.to_owned(),
            sample: things(made, "deployment"),
            change: none(),
        },
        Line {
            title: "Change fail rate",
            is: "Deployments that caused a failure, per deployment.",
            value: fraction(row.change_fail_rate, made),
            is_weak: false,
            interval: interval(
                row.change_fail_rate_low
                    .zip(row.change_fail_rate_high)
                    .filter(|_| made >= FEWEST_FOR_PERCENT),
                percent,
            ),
            sample: pending(made, row.pending_deployments.unwrap_or(0)),
            change: changed(change.and_then(|change| change.change_fail_rate), percent),
        },
        Line {
            title: "Change failure rate",
            is: "Failures per deployment. It may be above 1.",
            value: number(row.change_failure_rate),
            is_weak: false,
            interval: interval(row.change_failure_rate_low.zip(row.change_failure_rate_high), plain),
            sample: unmatched(row, made),
            change: changed(change.and_then(|change| change.change_failure_rate), plain),
        },
        Line {
            title: "Restored within an hour",
            is: "Share of the failures that began in the period. Open ones count as far as they are known.",
            value: hour.map_or_else(|| NO_DATA.to_owned(), |share| percent(share.value)),
            is_weak: hour.is_some_and(|share| share.known < FEWEST_KNOWN),
            interval: interval(hour.map(|RestoredShare { low, high, .. }| (low, high)), percent),
            sample: followed(row.restored.n, row.restored.open),
            change: changed(change.and_then(|change| change.restored), percent),
        },
        Line {
            title: "Time to restore, median",
            is: "Of the failures that ended in the period.",
            value: duration(restore.median),
            is_weak: false,
            interval: interval(restore.median_low.zip(restore.median_high), length),
            sample: format!("{}, {} still open", things(restore.n, "failure"), row.still_open),
            change: none(),
        },
        Line {
            title: "Recovery of failed deployments, median",
            is: "From the end of a failed deployment to the end of its failures.",
            value: duration(recovery.median),
            is_weak: false,
            interval: interval(recovery.median_low.zip(recovery.median_high), length),
            sample: followed(recovery.n, recovery.open),
            change: none(),
        },
        Line {
            title: "Rework rate",
            is: "Deployments that fixed a failure, per deployment.",
            value: fraction(row.deployment_rework_rate, made),
            is_weak: false,
            interval: interval(
                row.deployment_rework_rate_low
                    .zip(row.deployment_rework_rate_high)
                    .filter(|_| made >= FEWEST_FOR_PERCENT),
                percent,
            ),
            sample: things(made, "deployment"),
            change: changed(change.and_then(|change| change.deployment_rework_rate), percent),
        },
    ]
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
