//! Place of a page on the site, and the time zone of its times.
//!
//! Links are relative, so that a reverse proxy may serve the dashboard under any path. A page reaches the first page
//! through as many `../` as its own path has folders.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::timestamp::Timestamp;

/// Characters that are encoded in a part of a path or a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');

/// Format of a date and time without seconds.
const MINUTE: &str = "%Y-%m-%d %H:%M";
/// Format of a date and time with seconds.
const SECOND: &str = "%Y-%m-%d %H:%M:%S";

/// Time zone in which the pages show times.
pub(in crate::http) struct Zone(TimeZone);

impl Zone {
    /// The zone `dora.timezone`.
    pub(in crate::http) const fn new(timezone: TimeZone) -> Self {
        Self(timezone)
    }

    /// Its name in the database of time zones.
    pub(in crate::http::dashboard) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Date and time without seconds: `2026-11-02 09:14`.
    pub(in crate::http::dashboard) fn minute(&self, at: Timestamp) -> Markup {
        self.time(at, MINUTE)
    }

    /// Date and time with seconds: `2026-11-02 09:14:07`.
    pub(in crate::http::dashboard) fn second(&self, at: Timestamp) -> Markup {
        self.time(at, SECOND)
    }

    /// Date and time with seconds and the zone's abbreviation: `2026-11-02 09:14:07 CET`.
    pub(in crate::http::dashboard) fn exact(&self, at: Timestamp) -> Markup {
        self.time(at, "%Y-%m-%d %H:%M:%S %Z")
    }

    /// Date and time without seconds, for a sentence: `2026-11-02 09:14`.
    pub(in crate::http::dashboard) fn minute_text(&self, at: Timestamp) -> String {
        self.text(at, MINUTE)
    }

    /// Date and time with seconds, for a sentence: `2026-11-02 09:14:07`.
    pub(in crate::http::dashboard) fn second_text(&self, at: Timestamp) -> String {
        self.text(at, SECOND)
    }

    /// Date, as queries take it: `2026-11-02`.
    pub(in crate::http::dashboard) fn date(&self, at: Timestamp) -> String {
        self.text(at, "%Y-%m-%d")
    }

    /// Date without the year: `2 Nov`.
    pub(in crate::http::dashboard) fn short_day(&self, at: Timestamp) -> String {
        self.text(at, "%-d %b")
    }

    /// Month: `Nov 2026`.
    pub(in crate::http::dashboard) fn short_month(&self, at: Timestamp) -> String {
        self.text(at, "%b %Y")
    }

    fn text(&self, at: Timestamp, format: &str) -> String {
        jiff::Timestamp::from(at).to_zoned_datetime(self.0.clone()).strftime(format).to_string()
    }

    fn time(&self, at: Timestamp, format: &str) -> Markup {
        html! { time datetime=(at) { (self.text(at, format)) } }
    }
}

/// Place of a page, from which its links lead.
#[derive(Clone)]
pub(in crate::http) struct Site {
    root: String,
    zone: Arc<Zone>,
}

impl Site {
    /// The place of the page at this path.
    pub(in crate::http::dashboard) fn of(path: &str, zone: Arc<Zone>) -> Self {
        let folders = path.matches('/').count().saturating_sub(1);
        let root = if folders == 0 { "./".to_owned() } else { "../".repeat(folders) };
        Self { root, zone }
    }

    /// Relative address of a path, which has no leading slash. The empty path is the first page.
    pub(in crate::http::dashboard) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// Time zone of the page.
    pub(in crate::http::dashboard) fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Address of a failure's page.
    pub(in crate::http::dashboard) fn failure(&self, id: &str) -> String {
        self.link(&failure_path(id))
    }

    /// Address of a deployment's page.
    pub(in crate::http::dashboard) fn deployment(&self, id: &str) -> String {
        self.link(&format!("deployments/{}", encoded(id)))
    }

    /// Address of the page of a service or a team in this folder. `None` for the two names that browsers take for
    /// folders, also if they are encoded.
    pub(in crate::http::dashboard) fn named(&self, folder: &str, name: &str) -> Option<String> {
        let has_page = !matches!(name, "" | "." | "..");
        has_page.then(|| self.link(&format!("{folder}/{}", encoded(name))))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Site
where
    Arc<Zone>: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.path(), Arc::<Zone>::from_ref(state)))
    }
}

/// Path of a failure's page, below the first page.
pub(in crate::http::dashboard) fn failure_path(id: &str) -> String {
    format!("failures/{}", encoded(id))
}

/// Query of a link: `?service=checkout&state=open`. Parameters without a value are left out.
pub(in crate::http::dashboard) fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let pairs: Vec<String> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(path: &str) -> Site {
        Site::of(path, Arc::new(Zone::new(TimeZone::UTC)))
    }

    #[test]
    fn links_lead_to_the_first_page_from_every_depth() {
        for (path, first, failures) in [
            ("/", "./", "./failures"),
            ("/failures", "./", "./failures"),
            ("/failures/Q1", "../", "../failures"),
            ("/services/a%2Fb", "../", "../failures"),
            ("/outbox/7/retry", "../../", "../../failures"),
            ("/outbox/7/group/retry", "../../../", "../../../failures"),
        ] {
            assert_eq!((site(path).link(""), site(path).link("failures")), (first.into(), failures.into()));
        }
    }

    #[test]
    fn names_from_outside_are_one_part_of_a_path() {
        let named = |name| site("/").named("services", name);
        assert_eq!(named("a/b?c#d &\"ä").as_deref(), Some("./services/a%2Fb%3Fc%23d%20%26%22%C3%A4"));
        assert_eq!([named("."), named(".."), named("")], [None, None, None]);
        assert_eq!(site("/failures/x").failure("pagerduty:Q1"), "../failures/pagerduty:Q1");
        assert_eq!(site("/failures/x").deployment("ci:a/b #7"), "../deployments/ci:a%2Fb%20%237");
    }

    #[test]
    fn a_query_leaves_out_what_is_not_given() {
        assert_eq!(query(&[("state", None), ("since", None)]), "");
        assert_eq!(query(&[("state", Some("open")), ("service", Some("a&b"))]), "?state=open&service=a%26b");
    }

    #[test]
    fn times_are_shown_in_the_zone() {
        let at = Timestamp::parse("2026-11-02T09:14:07.250Z").unwrap();
        let berlin = Zone::new(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let shown = berlin.exact(at).into_string();
        assert_eq!(shown, "<time datetime=\"2026-11-02T09:14:07.250Z\">2026-11-02 10:14:07 CET</time>");
        assert_eq!((berlin.date(at), berlin.short_day(at)), ("2026-11-02".to_owned(), "2 Nov".to_owned()));
        assert_eq!(berlin.minute_text(at), "2026-11-02 10:14");
        assert_eq!(berlin.second_text(at), "2026-11-02 10:14:07");
        assert_eq!(site("/").zone().name(), "UTC");
    }
}
