//! Frame of every page: navigation, content and foot.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::site::Site;

/// Parts of the dashboard that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::dashboard) enum Section {
    /// The first page, services and teams.
    Overview,
    /// Failures.
    Failures,
    /// Deployments.
    Deployments,
    /// Rows for backends.
    Outbox,
    /// Webhooks that were not understood.
    Quarantine,
}

impl Section {
    /// All of them, as the navigation lists them.
    pub(in crate::http::dashboard) const ALL: [Self; 5] =
        [Self::Overview, Self::Failures, Self::Deployments, Self::Outbox, Self::Quarantine];

    /// The section that a path belongs to, else the first page.
    pub(in crate::http::dashboard) fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split(['/', '.']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|section| section.path() == first).unwrap_or(Self::Overview)
    }

    /// Its name for people.
    pub(in crate::http::dashboard) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Failures => "Failures",
            Self::Deployments => "Deployments",
            Self::Outbox => "Outbox",
            Self::Quarantine => "Quarantine",
        }
    }

    /// Path of its first page.
    pub(in crate::http::dashboard) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Failures => "failures",
            Self::Deployments => "deployments",
            Self::Outbox => "outbox",
            Self::Quarantine => "quarantine",
        }
    }
}

/// Place of a page in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::dashboard) enum Place {
    /// The first page of a section.
    At(Section),
    /// A page below it.
    Within(Section),
}

impl Place {
    /// The value of `aria-current` at the link to a section.
    fn current(self, section: Section) -> Option<&'static str> {
        match self {
            Self::At(at) if at == section => Some("page"),
            Self::Within(within) if within == section => Some("true"),
            _ => None,
        }
    }
}

/// A page of the dashboard.
pub(in crate::http::dashboard) fn page(
    site: &Site,
    place: Place,
    title: &str,
    content: &Markup,
) -> Html<String> {
    let whole_title = if title == PROGRAM { title.to_owned() } else { format!("{title} · {PROGRAM}") };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (whole_title) }
                link rel="stylesheet" href=(site.link("style.css"));
                link rel="icon" href="data:,";
            }
            body {
                a.skip href="#content" { "Skip to content" }
                (top(site, place))
                main #content tabindex="-1" { (content) }
                (foot(site))
            }
        }
    };
    Html(page.into_string())
}

/// Name of the program.
pub(in crate::http::dashboard) const PROGRAM: &str = "pagerduty-dora";

fn top(site: &Site, place: Place) -> Markup {
    html! {
        header.site {
            a.brand href=(site.link("")) { (PROGRAM) }
            nav aria-label="Pages" {
                ul {
                    @for section in Section::ALL {
                        li { a href=(site.link(section.path())) aria-current=[place.current(section)] { (section.name()) } }
                    }
                }
            }
        }
    }
}

fn foot(site: &Site) -> Markup {
    html! {
        footer {
            p { (PROGRAM) " " (env!("CARGO_PKG_VERSION")) }
            p {
                a href=(site.link("metrics")) { "Metrics" } " · "
                a href=(site.link("openapi.json")) { "API" }
            }
        }
    }
}

/// Heading of a page, with the time zone of its times.
pub(in crate::http::dashboard) fn heading(site: &Site, title: &Markup) -> Markup {
    html! {
        div.heading {
            h1 { (title) }
            p.quiet { "Times are in " (site.zone().name()) "." }
        }
    }
}

/// A list of facts, each with its name.
pub(in crate::http::dashboard) fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! { dl.card.facts { @for (name, fact) in facts { div { dt { (name) } dd { (fact) } } } } }
}

/// Way back from a page to the pages above it.
pub(in crate::http::dashboard) fn way_back(site: &Site, section: Section) -> Markup {
    html! {
        nav.back aria-label="Back" { a href=(site.link(section.path())) { "← " (section.name()) } }
    }
}

/// A page with a short text, and a way back.
pub(in crate::http::dashboard) fn notice(
    site: &Site,
    section: Section,
    (status, title): (StatusCode, &str),
    text: &Markup,
) -> Response {
    let content = html! {
        h1 { (title) }
        p { (text) }
        p.back {
            a href=(site.link(section.path())) { "← " (section.name()) }
            @if section != Section::Overview { " " a href=(site.link("")) { "← Overview" } }
        }
    };
    (status, page(site, Place::Within(section), title, &content)).into_response()
}

/// A table that may be wider than the window. Only the table scrolls, also by keyboard; the page does not.
pub(in crate::http::dashboard) fn wide(label: &str, table: &Markup) -> Markup {
    html! { div.wide tabindex="0" role="region" aria-label=(label) { (table) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_the_section() {
        for (path, section) in [
            ("/failures/Q1", Section::Failures),
            ("/failures.csv", Section::Failures),
            ("/teams/x", Section::Overview),
            ("/quarantine/9", Section::Quarantine),
            ("/nothing", Section::Overview),
            ("/", Section::Overview),
        ] {
            assert_eq!(Section::of(path), section, "{path}");
        }
    }
}
