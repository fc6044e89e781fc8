//! The figures: each with its sample size and its trend, then grouped by service and by team.

use maud::{Markup, html};

use super::data::DashboardData;
use super::format::{NO_DATA, ago, count, duration, minute, percent, safe_text, text_or_dash};
use super::page::wide;
use super::plot::{Bar, bars};
use crate::domain::figures::list::{self, FIGURES, Figure, GroupColumn, SamplePart, Tile, Value};
use crate::domain::figures::{IntervalName, Report, Row};
use crate::http::boards::Period;

pub(super) fn tiles(data: &DashboardData) -> Markup {
    let (all, computed_at) = (&data.board().all, data.figures.at);
    let weeks = data.figures.answer.weeks.first().map_or_else(String::new, |week| week.label.clone());
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
        Value::Count(_) | Value::OptionalCount(_) => {
            number.map_or_else(|| NO_DATA.to_owned(), |count| count.to_string())
        }
        Value::Ratio(_) => percent(number),
        Value::PerDeployment(_) | Value::PerDay(_) => {
            number.map_or_else(|| NO_DATA.to_owned(), |rate| format!("{rate:.2}"))
        }
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
    let week = |week: &IntervalName| {
        let row = data.figures.answer.trend.rows.iter().find(|row| row.period == Some(week.start));
        let value = row.and_then(|row| figure.number(row));
        let n = row.map_or_else(|| "nothing happened".to_owned(), n);
        Bar { period: week.label.clone(), value, text: in_unit(figure, value), n }
    };
    let weeks: Vec<Bar> = data.figures.answer.weeks.iter().map(week).collect();
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
