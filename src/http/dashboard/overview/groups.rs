//! Services and teams: the funnel, and a table with the worst first.

use maud::{Markup, html};

use super::data::DashboardData;
use crate::domain::figures::{Report, Row};
use crate::http::dashboard::board::query::WholeList;
use crate::http::dashboard::board::words::{FEWEST_FOR_RATE, FEWEST_KNOWN, share_in_table, to_u64};
use crate::http::dashboard::charts::frame::Head;
use crate::http::dashboard::charts::funnel::{Funnel, FunnelService, funnel};
use crate::http::dashboard::charts::interval_bar::{IntervalBar, interval_bar};
use crate::http::dashboard::parts::format::{NO_DATA, duration};
use crate::http::dashboard::parts::links;

/// Number of rows of a table that is not shown whole.
const SHORT: usize = 10;
/// Largest number of rows of a table.
const MOST_ROWS: usize = 1_000;

/// Services or teams.
struct Groups<'a> {
    list: WholeList,
    title: &'static str,
    one: &'static str,
    report: &'a Report,
}

/// The sections "Services" and "Teams".
pub(super) fn groups(data: &DashboardData) -> Markup {
    let board = &data.figures.answer;
    if data.query.board.severity.is_some() {
        return html! {};
    }
    let services =
        Groups { list: WholeList::Services, title: "Services", one: "service", report: &board.by_service };
    let teams = Groups { list: WholeList::Teams, title: "Teams", one: "team", report: &board.by_team };
    html! { (section(data, &services)) (section(data, &teams)) }
}

fn section(data: &DashboardData, groups: &Groups) -> Markup {
    let Groups { list, title, one, report } = *groups;
    let is_whole = data.query.all == Some(list);
    let shown = report.rows.len().min(if is_whole { MOST_ROWS } else { SHORT });
    html! {
        section aria-labelledby=(list.as_str()) {
            div.heading {
                h2 id=(list.as_str()) { (title) }
                p.quiet { "Highest lower bound of the fail rate first." }
            }
            @if report.rows.is_empty() {
                p.card.quiet { "No failure and no deployment of this period has a " (one) "." }
            } @else {
                @if list == WholeList::Services && report.rows.len() > 1 {
                    div.card.tile.funnel { (plot(data, report)) }
                }
                div.card.group { (table(data, groups, &report.rows[..shown])) }
                (more(data, groups, is_whole, shown))
            }
        }
    }
}

/// Links to the whole table, and back.
fn more(data: &DashboardData, Groups { list, report, .. }: &Groups, is_whole: bool, shown: usize) -> Markup {
    let all = report.rows.len();
    html! {
        @if all > SHORT {
            nav.pages aria-label={ "More " (list.as_str()) } {
                @if is_whole {
                    @if shown < all { span.quiet { "These are the first " (shown) " of " (all) "." } }
                    a href=(data.query.with_all(&data.site, *list, false)) { "The first ten" }
                } @else {
                    a href=(data.query.with_all(&data.site, *list, true)) { "All " (all) " →" }
                }
            }
        }
    }
}

fn plot(data: &DashboardData, report: &Report) -> Markup {
    let service = |row: &Row| {
        let name = row.key.clone()?;
        let deployments = row.deployments.filter(|deployments| *deployments > 0)?;
        Some(FunnelService {
            href: data.query.named(&data.site, WholeList::Services, &name)?,
            name,
            failed: to_u64(row.failed_deployments.unwrap_or_default()),
            deployments: to_u64(deployments),
        })
    };
    let services: Vec<FunnelService> = report.rows.iter().filter_map(service).collect();
    let head = Head { id: "chart-services", title: "Fail rate by service", every: "" };
    funnel(&Funnel { head, services: &services })
}

fn table(data: &DashboardData, groups: &Groups, rows: &[Row]) -> Markup {
    html! {
        table.cards {
            caption.hidden { (groups.title) ", the worst first" }
            thead { tr {
                th scope="col" { (groups.one) }
                @for title in ["Deployments", "Failed"] { th.number scope="col" { (title) } }
                th scope="col" { "Fail rate, 95 %" }
                @for title in ["Unmatched", "Restored in 1\u{a0}h", "Median"] { th.number scope="col" { (title) } }
            } }
            tbody { @for row in rows { (line(data, groups.list, row)) } }
        }
    }
}

fn line(data: &DashboardData, list: WholeList, row: &Row) -> Markup {
    let name = row.key.as_deref().unwrap_or(NO_DATA);
    let number =
        |number: Option<usize>| number.map_or_else(|| NO_DATA.to_owned(), |number| number.to_string());
    let times = &row.time_to_restore_seconds;
    html! {
        tr {
            th scope="row" { (links::name(data.query.named(&data.site, list, name), name)) }
            td.number data-label="Deployments" { (number(row.deployments)) }
            td.number data-label="Failed" { (number(row.failed_deployments)) }
            td.rate data-label="Fail rate, 95 %" { (fail_rate(row)) }
            td.number data-label="Unmatched" { (row.unmatched_incidents) }
            td.number data-label="Restored in 1\u{a0}h" { (restored(row)) }
            td.number data-label="Median" {
                (duration(times.median))
                @if times.median.is_some() && times.n < FEWEST_FOR_RATE { " " span.quiet { "n\u{a0}=\u{a0}" (times.n) } }
            }
        }
    }
}

/// The fail rate with its interval. With few deployments no rate is shown.
fn fail_rate(row: &Row) -> Markup {
    let bounds = row.change_fail_rate_low.zip(row.change_fail_rate_high);
    let enough = row.deployments.is_some_and(|deployments| deployments >= FEWEST_FOR_RATE);
    html! {
        @match row.change_fail_rate.zip(bounds).filter(|_| enough) {
            Some((value, bounds)) => {
                span.rate-words { (share_in_table(value, bounds)) }
                (interval_bar(&IntervalBar { value, bounds: Some(bounds), max: 1.0, label: None }))
            }
            None => {
                span.quiet { @if row.deployments.is_some_and(|n| n > 0) { "too few" } @else { (NO_DATA) } }
            }
        }
    }
}

fn restored(row: &Row) -> Markup {
    html! {
        @match row.restored.within.hour {
            Some(within) => {
                span.grey[within.known < FEWEST_KNOWN] {
                    (share_in_table(within.value, (within.low, within.high)))
                }
            }
            None => { (NO_DATA) }
        }
    }
}
