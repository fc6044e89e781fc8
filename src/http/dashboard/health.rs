//! The program's own condition: a row for each thing that an operator may have to act on.

use maud::{Markup, html};

use super::backends;
use super::health_row::HealthRow;
use super::page::wide;
use super::received::{events_api, webhooks};
use super::shown::Shown;
use super::words::{ago, bytes, count, said};
use crate::domain::span::span;
use crate::store::{Sizes, Trouble};

/// The row that leads to a page of its own.
const QUARANTINE: &str = "Quarantine";

/// The section.
pub(super) fn health(shown: &Shown) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Part" } th scope="col" { "Condition" } } }
            tbody {
                @for row in rows(shown) {
                    tr {
                        th scope="row" { (row.about) }
                        td.title {
                            span.bad[row.must_act] { (row.says) }
                            @if row.about == QUARANTINE && shown.gauges.quarantined > 0 {
                                " " a href="/quarantine" { "All of them" }
                            }
                        }
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

/// Number of rows that somebody must act on.
pub(super) fn alarms(shown: &Shown) -> usize {
    rows(shown).iter().filter(|row| row.must_act).count()
}

/// All rows, in the order of a webhook's way.
fn rows(shown: &Shown) -> Vec<HealthRow> {
    let mut rows: Vec<HealthRow> = webhooks(shown).collect();
    rows.extend([events_api(shown), store(shown), quarantine(shown)]);
    rows.extend(backends::rows(shown));
    rows.push(figures(shown));
    rows
}

fn store(shown: &Shown) -> HealthRow {
    let Sizes { database, wal, free } = shown.gauges.sizes;
    let free = free.map(|free| format!(", {} free on its disk", bytes(free))).unwrap_or_default();
    let sizes = format!("The database has {}, its write-ahead log {}{free}.", bytes(database), bytes(wal));
    let is_nearly_full = shown.gauges.sizes.is_nearly_full();
    let says = match &shown.trouble {
        Some(Trouble { error, lasts, refused_webhooks }) => format!(
            "It has not been able to commit for {} ({}). {} answered 503; PagerDuty sends them again for 48 hours. {sizes}",
            span(lasts.as_secs_f64()),
            said(error),
            count(*refused_webhooks, "webhook"),
        ),
        None if is_nearly_full => format!("Its disk is nearly full: make room. {sizes}"),
        None => sizes,
    };
    HealthRow { about: "Store".to_owned(), says, must_act: shown.trouble.is_some() || is_nearly_full }
}

fn quarantine(shown: &Shown) -> HealthRow {
    let quarantined = shown.gauges.quarantined;
    let says = match quarantined {
        0 => "Empty: every signed webhook was understood.".to_owned(),
        n => format!(
            "{} not understood: kept, and part of no failure. A newer version of the program may read them: \
             `pagerduty-dora quarantine retry --all` reads them again.",
            count(n, "signed webhook")
        ),
    };
    HealthRow { about: QUARANTINE.to_owned(), says, must_act: quarantined > 0 }
}

/// The figures of `/metrics`. Nobody has to act where nothing scrapes.
fn figures(shown: &Shown) -> HealthRow {
    let says = match shown.gauges_computed_at {
        None => "Not computed since the start: nothing has scraped /metrics, or the first answer is still computed."
            .to_owned(),
        Some(at) => format!("Computed {} ago.", ago(shown.now, at)),
    };
    HealthRow { about: "Figures in /metrics".to_owned(), says, must_act: false }
}
