//! Forms of the dashboard. Only forms of pages from this process are accepted.

use std::sync::Arc;

use axum::extract::{Form, FromRef, FromRequest, Request};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::page::{Section, notice};
use super::site::{Site, Zone, failure_path};
use crate::http::token::Token;

/// Form with one button.
#[derive(Deserialize)]
struct ButtonForm {
    token: String,
    /// Page that the form is on, as [`FormPage`] writes it.
    #[serde(default)]
    back: String,
}

/// Page that a form is on, and that the browser returns to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::dashboard) enum FormPage {
    /// A form that names no page: the browser goes on to the first one.
    Overview,
    /// The page of the outbox.
    Outbox,
    /// The page of the quarantine.
    Quarantine,
    /// The page of this failure.
    Failure(String),
}

impl FormPage {
    fn parse(text: &str) -> Self {
        match text.split_once(' ') {
            _ if text == "outbox" => Self::Outbox,
            _ if text == "quarantine" => Self::Quarantine,
            Some(("failure", id)) => Self::Failure(id.to_owned()),
            _ => Self::Overview,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Overview => String::new(),
            Self::Outbox => "outbox".to_owned(),
            Self::Quarantine => "quarantine".to_owned(),
            Self::Failure(id) => format!("failure {id}"),
        }
    }

    /// Address of the page. It is always a page of this listener.
    pub(in crate::http::dashboard) fn address(&self, site: &Site) -> String {
        match self {
            Self::Overview => site.link(""),
            Self::Outbox => site.link("outbox"),
            Self::Quarantine => site.link("quarantine"),
            Self::Failure(id) => site.link(&format!("{}#attempts", failure_path(id))),
        }
    }
}

/// Form with one button, which posts to `action`. `about` names for screen readers what the button changes.
pub(in crate::http::dashboard) fn button(
    token: &str,
    action: &str,
    page: &FormPage,
    label: &str,
    about: &str,
) -> Markup {
    html! {
        form method="post" action=(action) {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="back" value=(page.text());
            button type="submit" aria-label=(about) { (label) }
        }
    }
}

/// The page that a form is on. A handler that takes it refuses forms that do not come from a page of this process.
pub(in crate::http) struct OwnForm(pub(in crate::http::dashboard) FormPage);

impl<S: Send + Sync> FromRequest<S> for OwnForm
where
    Arc<Token>: FromRef<S>,
    Arc<Zone>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let path = request.uri().path().to_owned();
        let is_from_here = is_from_here(request.headers());
        let form = Form::<ButtonForm>::from_request(request, state).await;
        match form {
            Ok(Form(form)) if is_from_here && Arc::<Token>::from_ref(state).is(&form.token) => {
                Ok(Self(FormPage::parse(&form.back)))
            }
            _ => Err(foreign_form(&Site::of(&path, Arc::from_ref(state)), Section::of(&path))),
        }
    }
}

/// Answer to a form that does not come from a page of this process.
fn foreign_form(site: &Site, section: Section) -> Response {
    let text = html! {
        "This form comes from another site, or from before the last restart. Go back and load the page again."
    };
    notice(site, section, (StatusCode::FORBIDDEN, "Refused"), &text)
}

/// Answer to a form that changed nothing. `why` is the reason unless the store cannot be changed.
pub(in crate::http::dashboard) fn not_changed(
    site: &Site,
    section: Section,
    status: StatusCode,
    why: &str,
) -> Response {
    let why = match status {
        StatusCode::SERVICE_UNAVAILABLE => "The store cannot be changed now. Try again.",
        _ => why,
    };
    notice(site, section, (status, "Not changed"), &html! { (why) })
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
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn the_browser_returns_to_a_page_of_this_listener() {
        let site = Site::of("/outbox/7/retry", Arc::new(Zone::new(TimeZone::UTC)));
        for (text, address) in [
            ("", "../../"),
            ("outbox", "../../outbox"),
            ("quarantine", "../../quarantine"),
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
