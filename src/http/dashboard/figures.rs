//! The figures: each with its sample size and its trend, then grouped by service and by team.

use maud::{Markup, html};

use super::data::DashboardData;
use super::format::{NO_DATA, ago, count, duration, minute, percent, safe_text, text_or_dash};
use super::page::wide;
use super::plot::{Bar, bars};
use crate::domain::figures::list::{self, FIGURES, Figure, GroupColumn, SamplePart, Tile, Value};
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
                                a href={ "./?days=" (days) "#figures" } aria-current=[current] { (days) " days" }
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
            div.tiles { @for (figure, tile) in list::tiles() { (self::tile(data, figure, tile)) } }
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

/// A number of a figure in the figure's unit.
fn in_unit(figure: &Figure, number: Option<f64>) -> String {
    match figure.value {
        Value::Count(_) => number.map_or_else(|| NO_DATA.to_owned(), |count| count.to_string()),
        Value::Ratio(_) => percent(number),
        Value::PerDeployment(_) => number.map_or_else(|| NO_DATA.to_owned(), |rate| format!("{rate:.2}")),
        Value::Seconds(_) => duration(number),
    }
}

/// The 95 % interval of a figure. `None` without an interval.
fn interval(figure: &Figure, row: &Row) -> Option<String> {
    let (low, high) = figure.bounds(row)?;
    let [low, high] = [low, high].map(|bound| in_unit(figure, Some(bound)));
    Some(format!("95 %: {low} to {high}"))
}

/// Text about a sample.
fn text(parts: Vec<SamplePart>) -> String {
    let texts = parts.into_iter().map(|part| match part {
        SamplePart::Text(text) => text.to_owned(),
        SamplePart::Number(number) => number.to_string(),
        SamplePart::Things(number, thing) => count(number, thing),
        SamplePart::Seconds(seconds) => duration(seconds),
    });
    texts.collect()
}

/// A figure with its sample and its trend.
fn tile(data: &DashboardData, figure: &Figure, Tile { title, sample, .. }: &Tile) -> Markup {
    let title = title.unwrap_or(figure.title);
    let n = |row: &Row| text(sample(row));
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
            @if let Some(interval) = row.and_then(|row| interval(figure, row)) { p.quiet { (interval) } }
            p.quiet { (row.map_or_else(|| "nothing in this period".to_owned(), n)) }
            (bars(title, &weeks, |number| in_unit(figure, number)))
            details {
                summary { "By week, as a table" }
                (wide(&format!("{title} by week"), &table))
            }
        }
    }
}

/// The figures with a column in the tables by service and by team.
fn group_columns() -> impl Iterator<Item = (&'static Figure, GroupColumn)> {
    FIGURES.iter().filter_map(|figure| Some((figure, figure.group_column?)))
}

pub(super) fn by(what: &str, title: &str, report: &Report) -> Markup {
    let table = html! {
        table {
            thead { tr {
                th scope="col" { (what) }
                @for (figure, _) in group_columns() { th.number scope="col" { (figure.title) } }
            } }
            tbody { @for row in &report.rows {
                tr {
                    th scope="row" { (text_or_dash(row.key.as_ref())) }
                    @for (figure, column) in group_columns() {
                        td.number {
                            (in_unit(figure, figure.number(row)))
                            @if let Some(n) = column.sample_size { span.quiet { " n " (n(row)) } }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::figures::{CONFIDENCE, Grouping, RecoveryTimes, RestoreTimes, RowSums};

    fn row() -> Row {
        let idle = RowSums::default().row(Some("checkout"), None);
        Row {
            incidents: 3,
            matched_incidents: 3,
            ignored: 2,
            deployments: 40,
            failed_deployments: 1,
            change_failure_rate: Some(0.075),
            change_fail_rate: Some(0.025),
            deployment_rework_rate: Some(0.05),
            time_to_restore_seconds: RestoreTimes {
                n: 2,
                mean: Some(1200.0),
                median: Some(900.0),
                p90: Some(2400.0),
                ..idle.time_to_restore_seconds
            },
            failed_deployment_recovery_time_seconds: RecoveryTimes {
                open: 1,
                ..idle.failed_deployment_recovery_time_seconds
            },
            ..idle
        }
    }

    /// Title, value and sample of each tile.
    fn tiles_of(row: &Row) -> String {
        let tiles = list::tiles().into_iter().map(|(figure, tile)| {
            let (value, sample) = (in_unit(figure, figure.number(row)), text((tile.sample)(row)));
            format!("{}: {value} ({sample})\n", tile.title.unwrap_or(figure.title))
        });
        tiles.collect()
    }

    #[test]
    fn each_tile_has_its_value_and_sample() {
        insta::assert_snapshot!(tiles_of(&row()), @r"
        Deployments: 40 (3 incidents, 2 ignored)
        Change failure rate: 0.07 (3 matched incidents, 40 deployments)
        Change fail rate: 2.5 % (1 failed of n = 40)
        Time to restore: 15m 00s (n = 2, mean 20m 00s, p90 40m 00s)
        Recovery time of failed deployments: – (n = 0, 1 still open)
        Rework rate: 5.0 % (n = 40 deployments)
        ");
        let unmatched = Row { incidents: 1, unmatched_incidents: 1, ..RowSums::default().row(None, None) };
        insta::assert_snapshot!(tiles_of(&unmatched), @r"
        Deployments: 0 (1 incident, 0 ignored)
        Change failure rate: – (0 matched incidents, 0 deployments; 1 unmatched)
        Change fail rate: – (0 failed of n = 0)
        Time to restore: – (n = 0, mean –, p90 –)
        Recovery time of failed deployments: – (n = 0, 0 still open)
        Rework rate: – (n = 0 deployments)
        ");
    }

    #[test]
    fn a_table_has_the_figures_in_the_order_of_the_list() {
        let at = Timestamp::parse("2026-11-05T00:00:00Z").unwrap();
        let report = Report {
            since: at,
            until: at,
            as_of: at,
            confidence: CONFIDENCE,
            by: Grouping::Service,
            interval: None,
            rows: vec![row()],
            other_envs: Vec::new(),
            deployed_elsewhere: Vec::new(),
        };
        let html = by("Service", "By service", &report).into_string();
        let words = |cell: &str| {
            let texts = cell.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
            texts.collect::<String>()
        };
        let rows = html.split("<tr").skip(1).map(|row| {
            let cells = row.split("<th").flat_map(|part| part.split("<td")).skip(1);
            cells.map(|cell| words(&format!("<{cell}"))).collect::<Vec<_>>().join(" | ")
        });
        insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"), @r"
        Service | Incidents | Ignored | Deployments | Failed | Change failure rate | Change fail rate | Median time to restore | Median recovery time
        checkout | 3 | 2 | 40 | 1 | 0.07 | 2.5 % | 15m 00s n 2 | – n 0
        ");
    }
}
