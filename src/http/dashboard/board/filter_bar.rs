//! Period and filters of a page with figures. Each choice is in the address, so that it can be kept as a bookmark.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::query::{BoardPage, OverviewQuery, REFRESH_SECONDS};
use crate::http::boards::{Board, Period};
use crate::http::dashboard::parts::format::safe_text;
use crate::http::dashboard::parts::site::Site;
use crate::store::DeployedNames;

/// Largest number of names that a field suggests.
const MOST_NAMES: usize = 200;
/// Length of `2026-11-01`.
const DATE_LENGTH: usize = 10;

/// Names that the fields suggest.
#[derive(Default)]
pub(in crate::http::dashboard) struct Suggestions {
    env: BTreeSet<String>,
    service: BTreeSet<String>,
    team: BTreeSet<String>,
    severity: BTreeSet<String>,
}

impl Suggestions {
    /// The names of the deployments, and those in the figures.
    pub(in crate::http::dashboard) fn new(names: DeployedNames, board: &Board) -> Self {
        let keys = |rows: &[crate::domain::figures::Row]| -> Vec<String> {
            rows.iter().filter_map(|row| row.key.clone()).collect()
        };
        let all =
            |names: Vec<String>, more: Vec<String>| names.into_iter().chain(more).take(MOST_NAMES).collect();
        Self {
            env: all(names.envs, vec![board.query.env_name().to_owned(), "all".to_owned()]),
            service: all(names.services, keys(&board.by_service.rows)),
            team: all(names.teams, keys(&board.by_team.rows)),
            severity: all(board.severities.clone(), Vec::new()),
        }
    }

    fn of(&self, parameter: &str) -> &BTreeSet<String> {
        match parameter {
            "env" => &self.env,
            "service" => &self.service,
            "team" => &self.team,
            _ => &self.severity,
        }
    }
}

/// The bar. `env` is the env that is meant if none is chosen.
pub(in crate::http::dashboard) fn filter_bar(
    site: &Site,
    query: &OverviewQuery,
    names: &Suggestions,
    env: &str,
) -> Markup {
    let is_overview = query.page == BoardPage::Overview;
    let chosen: Vec<String> = query
        .choices()
        .filter_map(|(name, _, value)| Some(format!("{name} {}", safe_text(value?))))
        .collect();
    let is_chosen = !chosen.is_empty() || query.has_own_period();
    html! {
        div.choice {
            nav aria-label="Period" {
                ul {
                    @for period in Period::ALL {
                        @let is_current = !query.has_own_period() && period == query.board.period;
                        li { a href=(query.with_period(site, period)) aria-current=[is_current.then_some("page")] {
                            (period.days()) " days"
                        } }
                    }
                }
            }
            details.choice-filters open[query.has_own_period()] {
                summary {
                    (if is_overview { "Dates and filters" } else { "Dates" })
                    @if is_chosen { ": " bdi { (if chosen.is_empty() { "chosen dates".to_owned() } else { chosen.join(", ") }) } }
                }
                (form(site, query, names, env))
            }
            p.choice-more {
                @if is_chosen { a href=(query.address(site)) { "Clear" } }
                @match query.refresh {
                    _ if !is_overview => {
                        a href=(query.overview(site)) { "Other envs and filters →" }
                    }
                    Some(seconds) => {
                        span.quiet { "Reloads every " (seconds) " s. " }
                        a href=(query.with_refresh(site, None)) { "Stop" }
                    }
                    None => {
                        a href=(query.with_refresh(site, Some(REFRESH_SECONDS))) { "Refresh every minute" }
                    }
                }
            }
        }
    }
}

fn form(site: &Site, query: &OverviewQuery, names: &Suggestions, env: &str) -> Markup {
    html! {
        form.filters.card method="get" action=(query.address(site)) role="search" aria-label="Dates and filters" {
            @if !query.has_own_period() { input type="hidden" name="days" value=(query.board.period.days()); }
            @if let Some(seconds) = query.refresh { input type="hidden" name="refresh" value=(seconds); }
            (date("since", "From", query.board.since.as_deref()))
            (date("until", "Until (excluded)", query.board.until.as_deref()))
            @for (name, label, value) in query.choices() {
                label { (label)
                    input type="text" name=(name) value=[value] list={ "known-" (name) } autocomplete="off"
                        spellcheck="false" placeholder=(if name == "env" { env } else { "all" });
                }
            }
            div.buttons { button type="submit" { "Show" } }
            @for (name, ..) in query.choices() {
                datalist id={ "known-" (name) } {
                    @for known in names.of(name) { option value=(safe_text(known)) {} }
                }
            }
        }
    }
}

/// Field for a date. Ages and exact times are kept as text.
fn date(name: &str, label: &str, value: Option<&str>) -> Markup {
    let is_date = value.is_none_or(|text| {
        text.len() == DATE_LENGTH && text.bytes().filter(|byte| *byte == b'-').count() == 2
    });
    let kind = if is_date { "date" } else { "text" };
    html! { label { (label) input type=(kind) name=(name) value=[value] autocomplete="off"; } }
}
