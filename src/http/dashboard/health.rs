//! The program's own condition: a row for each thing that an operator may have to act on.

use maud::{Markup, html};

use super::page::{Shown, wide};
use super::words::count;

/// One row.
pub(super) struct Condition {
    /// What the row is about.
    pub(super) about: String,
    /// How it stands, in a sentence or two. Where somebody must act it also says what to do.
    pub(super) says: String,
    /// Whether somebody must act: the row is red then.
    pub(super) must_act: bool,
}

/// The section.
pub(super) fn health(shown: &Shown) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Part" } th scope="col" { "Condition" } } }
            tbody {
                @for condition in conditions(shown) {
                    tr {
                        th scope="row" { (condition.about) }
                        td.title { span.bad[condition.must_act] { (condition.says) } }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="health" {
            h2 #health { "Health" }
            div.card { (wide("Table of the program's condition", &table)) }
        }
    }
}

/// All rows, in the order of a webhook's way.
fn conditions(shown: &Shown) -> Vec<Condition> {
    vec![quarantine(shown)]
}

fn quarantine(shown: &Shown) -> Condition {
    let quarantined = shown.gauges.quarantined;
    let says = match quarantined {
        0 => "Empty: every signed webhook was understood.".to_owned(),
        n => format!(
            "{} not understood. They are kept and change no failure: see `pagerduty-dora quarantine`.",
            count(usize::try_from(n).unwrap_or(usize::MAX), "signed webhook")
        ),
    };
    Condition { about: "Quarantine".to_owned(), says, must_act: quarantined > 0 }
}
