//! What stands on the dashboard.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

use super::plot::{Bar, bars};
use crate::domain::figures::{Report, Row};
use crate::domain::span::span;
use crate::domain::timestamp::Timestamp;
use crate::store::{Gauges, ListedFailure, OutboxRow};

/// Everything that is shown.
pub(super) struct Shown {
    /// Which env the figures are of.
    pub(super) env: String,
    /// How many days back they go.
    pub(super) days: u64,
    /// Now.
    pub(super) now: Timestamp,
    /// When the last event was received.
    pub(super) last_received_at: Option<Timestamp>,
    /// Failures that have not ended.
    pub(super) open: Vec<ListedFailure>,
    /// The figures of all.
    pub(super) all: Report,
    /// The same by week.
    pub(super) trend: Report,
    /// By service.
    pub(super) by_service: Report,
    /// By team.
    pub(super) by_team: Report,
    /// The latest failures.
    pub(super) recent: Vec<ListedFailure>,
    /// Where the outboxes stand.
    pub(super) gauges: Gauges,
    /// What backends would not take.
    pub(super) dead: Vec<OutboxRow>,
    /// What a form has to send along.
    pub(super) token: String,
}

/// The periods that can be chosen, in days.
pub(super) const PERIODS: [u64; 3] = [7, 30, 90];

/// A page of the dashboard.
pub(super) fn page(title: &str, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="data:,";
            }
            body {
                a.skip href="#content" { "Skip to content" }
                (content)
            }
        }
    };
    Html(page.into_string())
}

/// The dashboard.
pub(super) fn dashboard(shown: &Shown) -> Html<String> {
    let content = html! {
        header {
            h1 { "pagerduty-dora" }
            (last_delivery(shown))
        }
        main #content {
            (open(shown))
            (figures(shown))
            (by("Service", "By service", &shown.by_service))
            (by("Team", "By team", &shown.by_team))
            (recent(&shown.recent))
            (outbox(shown))
        }
    };
    page("pagerduty-dora", &content)
}

fn last_delivery(shown: &Shown) -> Markup {
    html! {
        p.quiet {
            @match shown.last_received_at {
                Some(at) => { "Last event " (minute(at)) ", " (ago(shown.now, at)) " ago" },
                None => { "No event yet" },
            }
        }
    }
}

fn open(shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="open" {
            h2 #open { "Open now: " (shown.gauges.open_failures) }
            @if shown.open.is_empty() {
                p.quiet { "No failure is open." }
            } @else {
                div.wide tabindex="0" role="region" aria-labelledby="open" {
                    table {
                        thead { tr { th scope="col" { "Since" } th scope="col" { "Failure" } th scope="col" { "Services" }
                            th scope="col" { "Team" } th scope="col" { "Severity" } th.number scope="col" { "Open for" } } }
                        tbody {
                            @for ListedFailure { failure, .. } in &shown.open {
                                tr {
                                    td.time { (minute(failure.started_at)) }
                                    td { (link(failure.id.as_str(), failure.title.as_deref())) }
                                    td { (failure.services.join(", ")) }
                                    td { (text(failure.team.as_ref())) }
                                    td { (text(failure.severity.as_ref())) }
                                    td.number { (ago(shown.now, failure.started_at)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn figures(shown: &Shown) -> Markup {
    let period = format!("{} to {} UTC, env {}", minute(shown.all.since), minute(shown.all.until), shown.env);
    html! {
        section aria-labelledby="figures" {
            h2 #figures { "The figures" }
            nav aria-label="Period" {
                ul {
                    @for days in PERIODS {
                        li {
                            @if days == shown.days {
                                a href={ "/?days=" (days) } aria-current="page" { (days) " days" }
                            } @else {
                                a href={ "/?days=" (days) } { (days) " days" }
                            }
                        }
                    }
                }
            }
            p.quiet { (period) "; a bar for each week" }
            div.tiles {
                @for figure in FIGURES { (tile(shown, &figure)) }
            }
        }
    }
}

/// A figure as it is shown: beside it how many it is of, below it its trend.
struct Figure {
    title: &'static str,
    what: &'static str,
    of: fn(&Row) -> Option<f64>,
    in_words: fn(Option<f64>) -> String,
    n: fn(&Row) -> String,
}

const FIGURES: [Figure; 4] = [
    Figure {
        title: "Change failure rate",
        what: "incidents per deployment",
        of: |row| row.change_failure_rate,
        in_words: percent,
        n: |row| {
            let (incidents, unmatched) = (row.incidents, row.unmatched_incidents);
            format!("{incidents} incidents, {unmatched} of them unmatched; {} deployments", row.deployments)
        },
    },
    Figure {
        title: "Change fail rate",
        what: "failed deployments per deployment",
        of: |row| row.change_fail_rate,
        in_words: percent,
        n: |row| format!("n = {} deployments, {} failed", row.deployments, row.failed_deployments),
    },
    Figure {
        title: "Time to restore",
        what: "median",
        of: |row| row.time_to_restore_seconds.median,
        in_words: duration,
        n: |row| {
            let times = &row.time_to_restore_seconds;
            format!("n = {}, mean {}, p90 {}", times.n, duration(times.mean), duration(times.p90))
        },
    },
    Figure {
        title: "Recovery of failed deployments",
        what: "median",
        of: |row| row.failed_deployment_recovery_time_seconds.median,
        in_words: duration,
        n: |row| {
            let times = &row.failed_deployment_recovery_time_seconds;
            format!("n = {}, {} not over", times.n, times.open)
        },
    },
];

fn tile(shown: &Shown, Figure { title, what, of, in_words, n }: &Figure) -> Markup {
    let row = shown.all.rows.first();
    let week = |row: &Row| Bar {
        period: row.period.map_or_else(String::new, day),
        value: of(row),
        shown: in_words(of(row)),
    };
    let weeks: Vec<Bar> = shown.trend.rows.iter().map(week).collect();
    html! {
        div.tile {
            h3 { (title) " " span.quiet { (what) } }
            p.figure { (in_words(row.and_then(of))) }
            p.quiet { (row.map_or_else(|| "nothing in this period".to_owned(), n)) }
            (bars(&format!("{title} by week"), &weeks))
            details {
                summary { "As a table" }
                table {
                    caption { (title) " by week" }
                    thead { tr { th scope="col" { "Week from" } th.number scope="col" { (what) } } }
                    tbody {
                        @for week in &weeks {
                            tr { td.time { (week.period) } td.number { (week.shown) } }
                        }
                    }
                }
            }
        }
    }
}

fn by(what: &str, title: &str, report: &Report) -> Markup {
    html! {
        section aria-label=(title) {
            h2 { (title) }
            @if report.rows.is_empty() {
                p.quiet { "No failures and no deployments in this period." }
            } @else {
                div.wide tabindex="0" role="region" aria-label=(title) {
                    table {
                        thead { tr {
                            th scope="col" { (what) }
                            @for heading in ["Incidents", "Ignored", "Deployments", "Failed", "Change failure rate",
                                "Change fail rate", "Time to restore, median", "n", "Recovery, median", "n"] {
                                th.number scope="col" { (heading) }
                            }
                        } }
                        tbody {
                            @for row in &report.rows {
                                tr {
                                    th scope="row" { (text(row.key.as_ref())) }
                                    td.number { (row.incidents) }
                                    td.number { (row.ignored) }
                                    td.number { (row.deployments) }
                                    td.number { (row.failed_deployments) }
                                    td.number { (percent(row.change_failure_rate)) }
                                    td.number { (percent(row.change_fail_rate)) }
                                    td.number { (duration(row.time_to_restore_seconds.median)) }
                                    td.number { (row.time_to_restore_seconds.n) }
                                    td.number { (duration(row.failed_deployment_recovery_time_seconds.median)) }
                                    td.number { (row.failed_deployment_recovery_time_seconds.n) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn recent(failures: &[ListedFailure]) -> Markup {
    html! {
        section aria-labelledby="recent" {
            h2 #recent { "Recent failures" }
            @if failures.is_empty() {
                p.quiet { "None yet." }
            } @else {
                div.wide tabindex="0" role="region" aria-labelledby="recent" {
                    table {
                        thead { tr { th scope="col" { "Started" } th scope="col" { "Failure" } th scope="col" { "Services" }
                            th scope="col" { "State" } th.number scope="col" { "Restored in" } th scope="col" { "Deployment" } } }
                        tbody {
                            @for ListedFailure { failure, .. } in failures {
                                tr {
                                    td.time { (minute(failure.started_at)) }
                                    td { (link(failure.id.as_str(), failure.title.as_deref())) }
                                    td { (failure.services.join(", ")) }
                                    td { (failure.state.as_str())
                                        @if let Some(reason) = &failure.reason { " (" (reason) ")" } }
                                    td.number { (duration(failure.time_to_restore_seconds)) }
                                    td { (text(failure.deployment.as_ref())) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn outbox(shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="outbox" {
            h2 #outbox { "Forwarding" }
            @if shown.gauges.outbox.is_empty() {
                p.quiet { "Nothing waits, and nothing was refused." }
            } @else {
                div.wide tabindex="0" role="region" aria-labelledby="outbox" {
                    table {
                        thead { tr { th scope="col" { "Backend" } th.number scope="col" { "Waiting" }
                            th.number scope="col" { "Refused for good" } th.number scope="col" { "Oldest waits for" } } }
                        tbody {
                            @for backend in &shown.gauges.outbox {
                                tr {
                                    th scope="row" { (backend.backend) }
                                    td.number { (backend.pending) }
                                    td.number { span.bad[backend.dead > 0] { (backend.dead) } }
                                    td.number { (backend.oldest_at.map_or("-".to_owned(), |at| ago(shown.now, at))) }
                                }
                            }
                        }
                    }
                }
            }
            @if !shown.dead.is_empty() { (dead(shown)) }
        }
    }
}

fn dead(shown: &Shown) -> Markup {
    html! {
        h3 #dead { "Refused for good" }
        div.wide tabindex="0" role="region" aria-labelledby="dead" {
            table {
                thead { tr { th scope="col" { "Backend" } th scope="col" { "Failure" } th scope="col" { "Answer" }
                    th scope="col" { "What to do" } } }
                tbody {
                    @for row in &shown.dead {
                        tr {
                            td { (row.backend) }
                            td { (link(&row.failure, None)) " revision " (row.revision) }
                            td { (text(row.last_error.as_ref())) }
                            td {
                                form method="post" action={ "/outbox/" (row.id) "/retry" } {
                                    input type="hidden" name="token" value=(shown.token);
                                    button type="submit" aria-label={ "Retry " (row.failure) " at " (row.backend) } {
                                        "Retry"
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A failure's page, under its title or else its id.
fn link(id: &str, title: Option<&str>) -> Markup {
    html! { a href={ "/failures/" (id) } { (title.filter(|title| !title.trim().is_empty()).unwrap_or(id)) } }
}

pub(super) fn text(text: Option<&String>) -> &str {
    text.map_or("-", String::as_str)
}

pub(super) fn duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), span)
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// `2026-11-02 09:14`, in UTC.
pub(super) fn minute(at: Timestamp) -> String {
    at.to_string().chars().take(16).collect::<String>().replace('T', " ")
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    span(now.duration_since(at).as_secs_f64())
}
