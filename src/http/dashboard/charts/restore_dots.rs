//! The dots of the chart of times to restore.

use maud::{Markup, html};

use super::cells::{Group, groups};
use super::restore_data::{FailureDot, RestorePeriod};
use super::scale::{Scale, place};
use super::text::cut;
use crate::http::dashboard::parts::format::duration;

/// Longest name of a failure in a title, in columns.
const LONGEST_NAME: usize = 80;

/// A dot for each failure, or for each cell that has any. Open failures are hollow.
pub(super) fn dots(failures: &[FailureDot], periods: &[RestorePeriod], x: Scale, y: Scale) -> Markup {
    let places: Vec<_> = failures
        .iter()
        .map(|failure| (x.at(failure.at_seconds), y.at(failure.seconds), failure.is_open))
        .collect();
    html! {
        @for group in groups(&places) {
            @match group.members.as_slice() {
                [only] => (one(&failures[*only], &group)),
                members => {
                    @let failures: Vec<_> = members.iter().map(|n| &failures[*n]).collect();
                    (several(&failures, periods, &group))
                },
            }
        }
    }
}

fn circle(is_open: bool, group: &Group) -> Markup {
    html! {
        circle class=(if is_open { "chart-open" } else { "chart-dot" }) cx=(place(group.x)) cy=(place(group.y))
            r=(place(group.radius())) {}
    }
}

fn one(failure: &FailureDot, group: &Group) -> Markup {
    html! {
        a href=(failure.href) tabindex="-1" {
            title { (cut(&failure.name, LONGEST_NAME)) ": " (failure.time()) }
            (circle(failure.is_open, group))
        }
    }
}

/// A dot for several failures. It leads to the list of their period, if they are of the same one.
fn several(failures: &[&FailureDot], periods: &[RestorePeriod], group: &Group) -> Markup {
    let times = || failures.iter().map(|failure| failure.seconds);
    let (least, greatest) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    let is_open = failures.iter().any(|failure| failure.is_open);
    let what = if is_open { "open failures" } else { "failures" };
    let text =
        format!("{} {what}, {} to {}", failures.len(), duration(Some(least)), duration(Some(greatest)));
    let period_of = |failure: &&FailureDot| {
        periods.iter().rposition(|shown| shown.starts_at_seconds <= failure.at_seconds)
    };
    let mut found = failures.iter().map(period_of);
    let first = found.next().flatten();
    let period = first.filter(|n| found.all(|other| other == Some(*n))).map(|n| &periods[n].period);
    html! {
        @match period {
            Some(period) => {
                a href=(period.href) tabindex="-1" { title { (period.name) ": " (text) } (circle(is_open, group)) }
            },
            None => { g { title { (text) } (circle(is_open, group)) } },
        }
    }
}
