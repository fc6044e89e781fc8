//! Filters of the listing of deployments.

use jiff::tz::TimeZone;

use super::listing_parts::{Field, SINCE_EXAMPLE};
use super::site;
use crate::domain::name::named;
use crate::domain::timestamp::Timestamp;
use crate::http::query::{FromQuery, Parameters, QueryError, parse_time};
use crate::store::DeploymentFilter;

/// Query of the listing and of its CSV. Texts are as they were typed.
pub(in crate::http) struct DeploymentsPageQuery {
    service: Option<String>,
    team: Option<String>,
    env: Option<String>,
    since: Option<String>,
    until: Option<String>,
    pub(super) failed: bool,
    /// `true` for the deployments that do not count.
    pub(super) ignored: bool,
    pub(super) cursor: Option<String>,
}

impl FromQuery for DeploymentsPageQuery {
    const NAMES: &'static [&'static str] =
        &["service", "team", "env", "since", "until", "failed", "ignored", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        let text = |name| named(parameters.text(name));
        let word = |is_so| if is_so { "true" } else { "false" };
        Ok(Self {
            service: text("service"),
            team: text("team"),
            env: text("env"),
            since: text("since"),
            until: text("until"),
            failed: parameters.chosen("failed", &[true, false], word)?.unwrap_or(false),
            ignored: parameters.chosen("ignored", &[true, false], word)?.unwrap_or(false),
            cursor: text("cursor"),
        })
    }
}

impl DeploymentsPageQuery {
    /// The filter for the store.
    pub(super) fn filter(
        &self,
        limit: usize,
        now: Timestamp,
        timezone: &TimeZone,
    ) -> Result<DeploymentFilter, QueryError> {
        let time = |name, text: Option<&str>| parse_time(name, text, now, timezone);
        Ok(DeploymentFilter {
            service: self.service.clone(),
            env: self.env.clone(),
            team: self.team.clone(),
            since: time("since", self.since.as_deref())?,
            until: time("until", self.until.as_deref())?,
            failed: self.failed,
            ignored: self.ignored,
            limit,
            cursor: self.cursor.clone(),
        })
    }

    /// The fields of the form, without the outcome.
    pub(super) fn fields(&self) -> [Field<'_>; 5] {
        let name = |name, label, value| Field { name, label, value, example: None };
        let (since, until) = (self.since.as_deref(), self.until.as_deref());
        [
            name("service", "Service", self.service.as_deref()),
            name("team", "Team", self.team.as_deref()),
            name("env", "Env", self.env.as_deref()),
            Field { name: "since", label: "Ended since", value: since, example: Some(SINCE_EXAMPLE) },
            Field { name: "until", label: "Ended before", value: until, example: Some("2026-12-01") },
        ]
    }

    /// Query of a link with the same filters, which continues at a cursor.
    pub(super) fn link(&self, cursor: Option<&str>) -> String {
        let fields = self.fields().map(|field| (field.name, field.value));
        let chosen = |is_chosen: bool| is_chosen.then_some("true");
        let rest = [("failed", chosen(self.failed)), ("ignored", chosen(self.ignored)), ("cursor", cursor)];
        site::query(&[&fields[..], &rest[..]].concat())
    }

    /// `true` if it lists all deployments.
    pub(super) fn is_unfiltered(&self) -> bool {
        self.link(None).is_empty()
    }
}
