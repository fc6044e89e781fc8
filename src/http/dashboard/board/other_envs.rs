//! Reasons why figures are missing: the data is in another env.

use maud::{Markup, html};

use crate::domain::figures::Report;
use crate::http::dashboard::parts::format::safe_text;

/// The reasons, with what to do.
pub(in crate::http::dashboard) fn other_envs(report: &Report) -> Markup {
    let sentences = report.deployed_elsewhere.iter().map(|elsewhere| safe_text(&elsewhere.sentence()));
    let sentences = sentences.collect::<Vec<_>>().join("; ");
    html! {
        @if !report.other_envs.is_empty() && report.deployed_elsewhere.is_empty() {
            p.card.hint {
                "Nothing in env " strong { (safe_text(&report.env)) } " in this period. Envs that have data: "
                strong { (safe_text(&report.other_envs.join(", "))) } ". To show another one by default, set "
                code { "failure.default_env" } "."
            }
        }
        @if !sentences.is_empty() {
            p.card.hint {
                "Incidents are unmatched: " strong { (sentences) } ". Give both the same env: " code { "env" }
                " of the " code { "[[service]]" } " entry, " code { "failure.default_env" } ", or "
                code { "\"env\"" } " in the pipeline's requests."
            }
        }
    }
}
