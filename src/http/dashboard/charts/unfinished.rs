//! Hatching of periods whose numbers may still change.

use maud::{Markup, html};

use super::frame::{Sign, hatch};
use super::period::ChartPeriod;
use super::scale::{BOTTOM, Columns, TOP, place};

/// Hatching over the columns whose numbers may still change.
pub(super) fn hatching(flags: impl Iterator<Item = bool>, columns: Columns, id: &str) -> Markup {
    html! {
        @for (n, _) in flags.enumerate().filter(|(_, is_unfinished)| *is_unfinished) {
            rect x=(place(columns.left(n))) y=(place(TOP)) width=(place(columns.width()))
                height=(place(BOTTOM - TOP)) fill=(hatch(id)) {}
        }
    }
}

/// Sign of the hatching, with the reasons that there are.
pub(super) fn sign<'a>(periods: impl Iterator<Item = &'a ChartPeriod>) -> Option<(Sign, &'static str)> {
    let reasons = periods.fold((false, false), |(partial, pending), period| {
        (partial || period.is_partial, pending || period.pending > 0)
    });
    let text = match reasons {
        (true, true) => "not over yet, or deployments pending",
        (true, false) => "not over yet",
        (false, true) => "deployments pending",
        (false, false) => return None,
    };
    Some((Sign::Hatched, text))
}
