//! Forms of the dashboard. Only forms of pages from this process are accepted.

use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::page::{Section, notice};
use super::site::{Site, failure_path};
use crate::http::token::Token;

/// Form with one button.
#[derive(Deserialize)]
pub(in crate::http) struct ButtonForm {
    token: String,
    /// Page that the form is on, as [`FormPage`] writes it. Not given by the first page.
    #[serde(default)]
    back: String,
}

/// Page that a form is on, and that the browser returns to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FormPage {
    /// The first page.
    Overview,
    /// The page of the outbox.
    Outbox,
    /// The page of this failure.
    Failure(String),
}

impl FormPage {
    fn parse(text: &str) -> Self {
        match text.split_once(' ') {
            _ if text == "outbox" => Self::Outbox,
            Some(("failure", id)) => Self::Failure(id.to_owned()),
            _ => Self::Overview,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Overview => String::new(),
            Self::Outbox => "outbox".to_owned(),
            Self::Failure(id) => format!("failure {id}"),
        }
    }

    /// Address of the page. It is always a page of this listener.
    pub(super) fn address(&self, site: &Site) -> String {
        match self {
            Self::Overview => site.link(""),
            Self::Outbox => site.link("outbox"),
            Self::Failure(id) => site.link(&format!("{}#attempts", failure_path(id))),
        }
    }
}

/// Form with one button, which posts to `action`. `about` names for screen readers what the button changes.
pub(super) fn button(token: &str, action: &str, page: &FormPage, label: &str, about: &str) -> Markup {
    html! {
        form method="post" action=(action) {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="back" value=(page.text());
            button type="submit" aria-label=(about) { (label) }
        }
    }
}

/// The page that a form is on. `None` if the form does not come from a page of this process.
pub(super) fn own_form(
    token: &Token,
    form: Result<Form<ButtonForm>, FormRejection>,
    headers: &HeaderMap,
) -> Option<FormPage> {
    let Form(form) = form.ok()?;
    (token.is(&form.token) && is_from_here(headers)).then(|| FormPage::parse(&form.back))
}

/// Answer to a form that does not come from a page of this process.
pub(super) fn foreign_form(site: &Site, section: Section) -> Response {
    let text = html! {
        "This form comes from another site, or from before the last restart. Go back and load the page again."
    };
    notice(site, section, (StatusCode::FORBIDDEN, "Refused"), &text)
}

/// `true` if the page in the browser's `Origin` came from this listener.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::http::dashboard::site::Zone;

    #[test]
    fn the_browser_returns_to_a_page_of_this_listener() {
        let site = Site::of("/outbox/7/retry", Arc::new(Zone::new(TimeZone::UTC)));
        for (text, address) in [
            ("", "../../"),
            ("outbox", "../../outbox"),
            ("failure pagerduty:Q1", "../../failures/pagerduty:Q1#attempts"),
            ("failure //evil.example/", "../../failures/%2F%2Fevil.example%2F#attempts"),
            ("https://evil.example/", "../../"),
        ] {
            assert_eq!(FormPage::parse(text).address(&site), address, "{text}");
        }
        let page = FormPage::Failure("pagerduty:Q1".to_owned());
        assert_eq!(FormPage::parse(&page.text()), page);
    }
}
