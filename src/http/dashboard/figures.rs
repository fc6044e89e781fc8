//! The figures: each with its sample size and its trend, then grouped by service and by team.

use maud::{Markup, html};

use super::data::DashboardData;
use super::format::{NO_DATA, ago, count, duration, minute, percent, safe_text, text_or_dash};
use super::page::wide;
use super::plot::{Bar, bars};
use crate::domain::figures::list::{self, Figure, Value};
use crate::domain::figures::{Report, Row};
use crate::domain::timestamp::Timestamp;
use crate::http::boards::Period;

pub(super) fn tiles(data: &DashboardData) -> Markup {
    let (all, computed_at) = (&data.board().all, data.figures.at);
    let weeks = data.figures.answer.weeks.first().copied().map_or_else(String::new, Timestamp::period_name);
    html! {
        section aria-labelledby="figures" {
            div.heading {
                h2 #figures { "The figures" }
                nav aria-label="Period" {
                    ul {
                        @for period in Period::ALL {
                            li {
                                @let (days, current) = (period.days(), (period == data.period).then_some("page"));
                                a href={ "/?days=" (days) "#figures" } aria-current=[current] { (days) " days" }
                            }
                        }
                    }
                }
            }
            p.quiet {
                (minute(all.since)) " to " (minute(all.until)) ", env " strong { (data.env) }
                ". The bars are weeks, from " (weeks) " on."
                @if computed_at != data.now { " Computed " (ago(data.now, computed_at)) " ago." }
            }
            @if !all.other_envs.is_empty() && all.rows.is_empty() {
                p.card {
                    "Nothing in env " strong { (data.env) } " in this period. Envs that have data: "
                    strong { (all.other_envs.join(", ")) } ". To show another one here, set "
                    code { "failure.default_env" } "."
                }
            }
            @if !all.deployed_elsewhere.is_empty() {
                p.card {
                    "Incidents are unmatched: "
                    strong { (sentences(all)) }
                    ". Give both the same env: " code { "env" } " of the " code { "[[service]]" } " entry, "
                    code { "failure.default_env" } ", or " code { "\"env\"" } " in the pipeline's requests."
                }
            }
            div.tiles { @for tile in &TILES { (self::tile(data, tile)) } }
        }
    }
}

/// Sentences on services whose deployments are in another env than their incidents.
fn sentences(report: &Report) -> String {
    report
        .deployed_elsewhere
        .iter()
        .map(|elsewhere| safe_text(&elsewhere.sentence()))
        .collect::<Vec<_>>()
        .join("; ")
}

/// A figure with its sample and its trend.
struct Tile {
    title: &'static str,
    figure: Figure,
    n: fn(&Row) -> String,
}

const TILES: [Tile; 6] = [
    Tile {
        title: list::DEPLOYMENTS.title,
        figure: list::DEPLOYMENTS,
        n: |row| format!("{}, {} ignored", count(row.incidents, "incident"), row.ignored),
    },
    Tile {
        title: list::CHANGE_FAILURE_RATE.title,
        figure: list::CHANGE_FAILURE_RATE,
        n: |row| {
            let (matched, unmatched) = (row.matched_incidents(), row.unmatched_incidents);
            let over =
                format!("{}, {}", count(matched, "matched incident"), count(row.deployments, "deployment"));
            if unmatched == 0 { over } else { format!("{over}; {unmatched} unmatched") }
        },
    },
    Tile {
        title: list::CHANGE_FAIL_RATE.title,
        figure: list::CHANGE_FAIL_RATE,
        n: |row| format!("{} failed of n = {}", row.failed_deployments, row.deployments),
    },
    Tile {
        title: "Time to restore",
        figure: list::MEDIAN_TIME_TO_RESTORE,
        n: |row| {
            let times = &row.time_to_restore_seconds;
            format!("n = {}, mean {}, p90 {}", times.n, duration(times.mean), duration(times.p90))
        },
    },
    Tile {
        title: "Recovery time of failed deployments",
        figure: list::MEDIAN_RECOVERY_TIME,
        n: |row| {
            let times = &row.failed_deployment_recovery_time_seconds;
            format!("n = {}, {} still open", times.n, times.open)
        },
    },
    Tile {
        title: list::REWORK_RATE.title,
        figure: list::REWORK_RATE,
        n: |row| format!("n = {}", count(row.deployments, "deployment")),
    },
];

/// A number of a figure in the figure's unit.
fn in_unit(figure: &Figure, number: Option<f64>) -> String {
    match figure.value {
        Value::Count(_) => number.map_or_else(|| NO_DATA.to_owned(), |count| count.to_string()),
        Value::Ratio(_) => percent(number),
        Value::Seconds(_) => duration(number),
    }
}

fn tile(data: &DashboardData, Tile { title, figure, n }: &Tile) -> Markup {
    let row = data.board().all.rows.first();
    let week = |start: Timestamp| {
        let row = data.figures.answer.trend.rows.iter().find(|row| row.period == Some(start));
        let value = row.and_then(|row| figure.number(row));
        let n = row.map_or_else(|| "nothing happened".to_owned(), n);
        Bar { period: start.period_name(), value, text: in_unit(figure, value), n }
    };
    let weeks: Vec<Bar> = data.figures.answer.weeks.iter().copied().map(week).collect();
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Week from" } th.number scope="col" { (title) } th scope="col" { "Sample" }
            } }
            tbody {
                @for week in &weeks {
                    tr { td.time { (week.period) } td.number { (week.text) } td { (week.n) } }
                }
            }
        }
    };
    html! {
        div.card.tile {
            h3 { (title) }
            p.quiet { (figure.formula) }
            p.figure { (in_unit(figure, row.and_then(|row| figure.number(row)))) }
            p.quiet { (row.map_or_else(|| "nothing in this period".to_owned(), n)) }
            (bars(title, &weeks, |number| in_unit(figure, number)))
            details {
                summary { "By week, as a table" }
                (wide(&format!("{title} by week"), &table))
            }
        }
    }
}

/// A column of the tables by service and by team, with the sample size beside the value if it has one.
type GroupColumn = (Figure, Option<fn(&Row) -> usize>);

const GROUP_COLUMNS: [GroupColumn; 8] = [
    (list::INCIDENTS, None),
    (list::IGNORED, None),
    (list::DEPLOYMENTS, None),
    (list::FAILED_DEPLOYMENTS, None),
    (list::CHANGE_FAILURE_RATE, None),
    (list::CHANGE_FAIL_RATE, None),
    (list::MEDIAN_TIME_TO_RESTORE, Some(|row| row.time_to_restore_seconds.n)),
    (list::MEDIAN_RECOVERY_TIME, Some(|row| row.failed_deployment_recovery_time_seconds.n)),
];

pub(super) fn by(what: &str, title: &str, report: &Report) -> Markup {
    let table = html! {
        table {
            thead { tr {
                th scope="col" { (what) }
                @for (figure, _) in &GROUP_COLUMNS { th.number scope="col" { (figure.title) } }
            } }
            tbody { @for row in &report.rows {
                tr {
                    th scope="row" { (text_or_dash(row.key.as_ref())) }
                    @for (figure, n) in &GROUP_COLUMNS {
                        td.number {
                            (in_unit(figure, figure.number(row)))
                            @if let Some(n) = n { span.quiet { " n " (n(row)) } }
                        }
                    }
                }
            } }
        }
    };
    html! {
        section aria-label=(title) {
            h2 { (title) }
            @if report.rows.is_empty() {
                p.card.quiet { "No failure and no deployment of this period has a " (what.to_lowercase()) "." }
            } @else {
                div.card { (wide(&format!("Table of the figures {}", title.to_lowercase()), &table)) }
            }
        }
    }
}
