//! Parts that the pages with listings share.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, Render, html};

use super::format::safe_text;
use super::page::{Place, Section, heading, page};
use super::site::Site;
use crate::http::query::QueryError;

/// Number of rows on a page of a listing.
pub(in crate::http::dashboard) const LISTED: usize = 50;

/// Example of a time that a period begins at.
pub(in crate::http::dashboard) const SINCE_EXAMPLE: &str = "30d or 2026-11-01";

/// A text field of the filters.
pub(in crate::http::dashboard) struct Field<'a> {
    /// Its parameter.
    pub(in crate::http::dashboard) name: &'static str,
    /// Its label.
    pub(in crate::http::dashboard) label: &'static str,
    /// Its value, as it was typed.
    pub(in crate::http::dashboard) value: Option<&'a str>,
    /// An example of a value.
    pub(in crate::http::dashboard) example: Option<&'static str>,
}

/// Order of a listing.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::dashboard) enum Order {
    NewestFirst,
    OldestFirst,
}

/// Links to the other parts of a listing.
pub(in crate::http::dashboard) struct Paging<'a> {
    /// Name of the links for screen readers.
    pub(in crate::http::dashboard) label: &'a str,
    pub(in crate::http::dashboard) order: Order,
    /// Address of the first part, unless it is shown.
    pub(in crate::http::dashboard) first: Option<String>,
    /// Address of the next part, if there is one.
    pub(in crate::http::dashboard) next: Option<String>,
    /// Address of all parts as CSV.
    pub(in crate::http::dashboard) file: Option<String>,
}

impl Render for Paging<'_> {
    fn render(&self) -> Markup {
        let (first, next) = match self.order {
            Order::NewestFirst => ("← Newest", "Older →"),
            Order::OldestFirst => ("← First", "Next →"),
        };
        let links = html! {
            @if let Some(address) = &self.first { a href=(address) { (first) } }
            @if let Some(address) = &self.next { a href=(address) rel="next" { (next) } }
            @if let Some(address) = &self.file { a.end href=(address) download { "Download all as CSV" } }
        };
        html! { @if !links.0.is_empty() { nav.pages aria-label=(self.label) { (links) } } }
    }
}

/// The page of a section with its filters, and with what they find.
pub(in crate::http::dashboard) fn listing(
    site: &Site,
    section: Section,
    filters: &Markup,
    results: &Markup,
) -> Html<String> {
    let content = html! { (heading(site, &html! { (section.name()) })) (filters) (results) };
    page(site, Place::At(section), section.name(), &content)
}

/// The page of a section whose filters have a mistake.
pub(in crate::http::dashboard) fn mistake(
    site: &Site,
    section: Section,
    filters: &Markup,
    mistake: &QueryError,
) -> Response {
    let results = html! { p.card.bad role="alert" { (mistake.to_string()) } };
    (StatusCode::BAD_REQUEST, listing(site, section, filters, &results)).into_response()
}

/// Text of a listing whose filters find nothing. `what` is one of its rows; `all` is the address without filters.
pub(in crate::http::dashboard) fn none_passes(what: &str, all: &str) -> Markup {
    html! { "No " (what) " passes these filters. " a href=(all) { "Show all " (what) "s" } "." }
}

/// The form of the filters. It shows the page `action`.
pub(in crate::http::dashboard) fn filters(action: &str, is_unfiltered: bool, fields: &Markup) -> Markup {
    html! {
        form.filters.card method="get" action=(action) role="search" aria-label="Filters" {
            (fields)
            (buttons(action, is_unfiltered))
        }
    }
}

/// Button that applies the filters, and a link that clears them.
fn buttons(action: &str, is_unfiltered: bool) -> Markup {
    html! {
        div.buttons {
            button type="submit" { "Show" }
            @if !is_unfiltered { a href=(action) { "Clear" } }
        }
    }
}

pub(in crate::http::dashboard) fn text_field(field: &Field<'_>) -> Markup {
    html! {
        label { (field.label)
            input type="text" name=(field.name) value=[field.value] placeholder=[field.example] autocomplete="off"
                spellcheck="false";
        }
    }
}

/// Field with a choice of values, of which none need be chosen.
pub(in crate::http::dashboard) fn choice<'a>(
    (name, label): (&str, &str),
    values: impl IntoIterator<Item = &'a str>,
    chosen: Option<&str>,
) -> Markup {
    html! {
        label { (label)
            select name=(name) {
                option value="" { "any" }
                @for value in values {
                    option value=(value) selected[chosen == Some(value)] { (safe_text(value)) }
                }
            }
        }
    }
}
