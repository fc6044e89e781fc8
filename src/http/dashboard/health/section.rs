//! Health of the program: a row for each part that an operator may have to act on.

use maud::{Markup, html};

use super::backends;
use super::data::HealthData;
use super::deployment_reading::deployment_reading;
use super::facts::health_facts;
use super::received::{events_api, webhooks};
use super::row::HealthRow;
use crate::domain::human_duration::human_duration;
use crate::http::dashboard::parts::format::{ago, bytes, count, safe_text};
use crate::http::dashboard::parts::page::{Section, wide};
use crate::http::tls::expires_soon;
use crate::store::{Sizes, StoreOutage};
use crate::telemetry::reconciliation::{ReconciliationState, SubscriptionHealth};

/// The line of health, and the table of all parts behind it. `is_waiting` is `true` if nothing was stored yet.
pub(in crate::http::dashboard) fn health(data: &HealthData, is_waiting: bool) -> Markup {
    let rows = rows(data);
    let alarms: Vec<&HealthRow> = rows.iter().filter(|row| row.must_act).collect();
    html! {
        section.health.card.good[alarms.is_empty()].bad[!alarms.is_empty()] aria-labelledby="health" {
            div.health-line {
                h2 #health { "Health" }
                strong {
                    @match alarms.len() {
                        0 if is_waiting => { "Waiting for the first webhook" }
                        0 => { span aria-hidden="true" { "● " } "The program is well" }
                        1 => { span aria-hidden="true" { "▲ " } "One thing needs attention" }
                        n => { span aria-hidden="true" { "▲ " } (n) " things need attention" }
                    }
                }
                (health_facts(data))
            }
            @if !alarms.is_empty() {
                ul.alarms { @for row in &alarms { li { (alarm(data, row)) } } }
            }
            details { summary { "All parts" } (wide("Table of the program's health", &table(data, &rows))) }
        }
    }
}

/// A part that somebody must act on, with the page where it is dealt with.
fn alarm(data: &HealthData, row: &HealthRow) -> Markup {
    html! {
        strong { (row.about) ":" } " "
        @match row.page {
            Some(page) => {
                // The page says what to do, and so does the table.
                span.bad { (first_sentence(&row.says)) } " "
                (link(data, page))
            }
            None => { span.bad { (row.says) } }
        }
    }
}

fn link(data: &HealthData, section: Section) -> Markup {
    html! { a href=(data.site.link(section.path())) { "Open " (section.name().to_lowercase()) } }
}

/// The first sentence of a text.
fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

fn table(data: &HealthData, rows: &[HealthRow]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Part" } th scope="col" { "State" } } }
            tbody { @for row in rows {
                tr {
                    th scope="row" { (row.about) }
                    td.title {
                        span.bad[row.must_act] { (row.says) }
                        @if let Some(page) = row.page.filter(|_| row.must_act) {
                            " " (link(data, page))
                        }
                    }
                }
            } }
        }
    }
}

/// All rows, in the order in which a webhook passes the parts.
fn rows(data: &HealthData) -> Vec<HealthRow> {
    let mut rows: Vec<HealthRow> = webhooks(data).collect();
    rows.extend(subscription(data));
    rows.extend(reconciliation(data));
    rows.extend(data.deployment_readings.iter().map(|state| deployment_reading(data, state)));
    rows.extend(certificate(data));
    rows.extend(configuration(data));
    rows.extend(replica(data));
    rows.extend([events_api(data), store(data), quarantine(data)]);
    rows.extend(backends::rows(data));
    rows.push(figures(data));
    rows
}

/// State of the reconciliation with PagerDuty, if its REST API is configured.
fn reconciliation(data: &HealthData) -> Option<HealthRow> {
    let ReconciliationState { succeeded_at, failed, repaired, .. } = data.reconciliation.as_ref()?;
    let row = |says, must_act| HealthRow { about: "Reconciliation".to_owned(), says, must_act, page: None };
    if data.others_ask_apis {
        let says = "Another replica compares the incidents with PagerDuty's REST API.";
        return Some(row(says.to_owned(), false));
    }
    let last = match succeeded_at {
        Some(at) => format!(
            "Incidents were compared with PagerDuty's REST API {} ago. {} repaired since the start.",
            ago(data.now, *at),
            count(i64::try_from(*repaired).unwrap_or(i64::MAX), "lost event")
        ),
        None => "Incidents were not compared with PagerDuty's REST API yet.".to_owned(),
    };
    let says = match failed {
        None => last,
        Some((at, error)) => {
            format!("The last attempt failed {} ago: {}. {last}", ago(data.now, *at), safe_text(error))
        }
    };
    Some(row(says, failed.is_some()))
}

/// State of PagerDuty's webhook subscription, once it is known.
fn subscription(data: &HealthData) -> Option<HealthRow> {
    let SubscriptionHealth { says, must_act } = data.reconciliation.as_ref()?.subscription.as_ref()?;
    Some(HealthRow {
        about: "Subscription".to_owned(),
        says: safe_text(says),
        must_act: *must_act,
        page: None,
    })
}

/// The last reload, if it was refused.
fn configuration(data: &HealthData) -> Option<HealthRow> {
    let (at, why) = data.reload_refused.as_ref()?;
    let says = format!(
        "The last reload was refused {} ago, and the configuration before it stays in effect: {}",
        ago(data.now, *at),
        safe_text(why)
    );
    Some(HealthRow { about: "Configuration".to_owned(), says, must_act: true, page: None })
}

/// A replica that decides nothing.
fn replica(data: &HealthData) -> Option<HealthRow> {
    const SAYS: &str = "This replica takes events in, and decides nothing: another one was started or reloaded later, with \
        another version or configuration. Give all the same version and configuration.";
    let row = || HealthRow { about: "Replica".to_owned(), says: SAYS.to_owned(), must_act: true, page: None };
    data.only_takes_in.then(row)
}

/// State of the public listener's certificate, if it has one.
fn certificate(data: &HealthData) -> Option<HealthRow> {
    let expires_at = data.certificate_expiry?;
    let must_act = expires_soon(expires_at, data.now);
    let advice = if must_act { " Put a new one in place, and reload the configuration." } else { "" };
    let says = if expires_at <= data.now {
        format!(
            "It expired {} ago: PagerDuty delivers no webhook, and resends each for 48 hours.{advice}",
            ago(data.now, expires_at)
        )
    } else {
        format!("It is valid for {} more.{advice}", ago(expires_at, data.now))
    };
    Some(HealthRow { about: "Certificate".to_owned(), says, must_act, page: None })
}

fn store(data: &HealthData) -> HealthRow {
    let Sizes { database, wal, free } = data.gauges.sizes;
    let free = free.map(|free| format!(", {} free on its disk", bytes(free))).unwrap_or_default();
    let wal = wal.map_or_else(String::new, |wal| format!(", its write-ahead log {}", bytes(wal)));
    let sizes = format!("The database takes {}{wal}{free}.", bytes(database));
    let is_nearly_full = data.gauges.sizes.is_nearly_full();
    let says = match &data.trouble {
        Some(StoreOutage { error, lasts, refused_webhooks }) => format!(
            "The store has not been able to commit for {} ({}). {} answered 503; PagerDuty resends them for 48 hours. {sizes}",
            human_duration(lasts.as_secs_f64()),
            safe_text(error),
            count(*refused_webhooks, "webhook"),
        ),
        None if is_nearly_full => format!("The disk is nearly full: make room. {sizes}"),
        None => sizes,
    };
    HealthRow {
        about: "Store".to_owned(),
        says,
        must_act: data.trouble.is_some() || is_nearly_full,
        page: None,
    }
}

fn quarantine(data: &HealthData) -> HealthRow {
    let quarantined = data.gauges.quarantined;
    let says = match quarantined {
        0 => "Empty.".to_owned(),
        n => format!(
            "{} not understood, or in contradiction to a stored event: kept, without effect on failures and deployments. A newer version of the program may understand more: \
             then run `pagerduty-dora quarantine retry --all`.",
            count(n, "signed webhook")
        ),
    };
    HealthRow {
        about: "Quarantine".to_owned(),
        says,
        must_act: quarantined > 0,
        page: Some(Section::Quarantine),
    }
}

/// Figures of `/metrics`. Missing figures raise no alarm, because it is possible that nothing scrapes.
fn figures(data: &HealthData) -> HealthRow {
    let says = match data.gauges_computed_at {
        None => "Not computed since the start: nothing has scraped /metrics, or the first figures are still being computed."
            .to_owned(),
        Some(at) => format!("Computed {} ago.", ago(data.now, at)),
    };
    HealthRow { about: "Figures in /metrics".to_owned(), says, must_act: false, page: None }
}
