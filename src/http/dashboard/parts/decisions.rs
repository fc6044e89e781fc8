//! Decisions about a failure or a deployment, with their reasons.

use maud::{Markup, html};

use super::format::sentence;
use crate::domain::explain::Why;

/// Table of decisions with their reasons.
pub(in crate::http::dashboard) fn decisions<'a>(
    decided: impl IntoIterator<Item = &'a Why>,
    value: impl Fn(&Why) -> Markup,
) -> Markup {
    html! {
        table.cards {
            caption.hidden { "Each decision, and its reason" }
            thead { tr { th scope="col" { "Field" } th scope="col" { "Value" } th scope="col" { "Reason" } } }
            tbody { @for why in decided {
                tr {
                    th scope="row" { (why.about.replace('_', " ")) }
                    td data-label="Value" { (value(why)) }
                    td data-label="Reason" { (sentence(&why.because)) }
                }
            } }
        }
    }
}
