//! Filters of the listing of deployments.

use jiff::tz::TimeZone;

use crate::domain::figures::Env;
use crate::domain::name::named;
use crate::domain::timestamp::Timestamp;
use crate::http::dashboard::parts::listing::{Field, SINCE_EXAMPLE};
use crate::http::dashboard::parts::site;
use crate::http::deployment_choice::DeploymentChoice;
use crate::http::query::{FromQuery, Parameters, QueryError, flag_word, parse_time};
use crate::store::DeploymentFilter;

/// Query of the listing and of its CSV. Texts are as they were typed.
pub(in crate::http) struct DeploymentsPageQuery {
    service: Option<String>,
    team: Option<String>,
    env: Option<String>,
    since: Option<String>,
    until: Option<String>,
    pub(super) failed: Option<bool>,
    /// `true` for the deployments that do not count.
    pub(super) ignored: bool,
    pub(super) cursor: Option<String>,
}

impl FromQuery for DeploymentsPageQuery {
    const NAMES: &'static [&'static str] =
        &["service", "team", "env", "since", "until", "failed", "ignored", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        let text = |name| named(parameters.text(name));
        Ok(Self {
            service: text("service"),
            team: text("team"),
            env: text("env"),
            since: text("since"),
            until: text("until"),
            failed: parameters.chosen_flag("failed")?,
            ignored: parameters.chosen_flag("ignored")?.unwrap_or(false),
            cursor: text("cursor"),
        })
    }
}

impl DeploymentsPageQuery {
    /// The choice of deployments.
    pub(super) fn choice(
        &self,
        limit: usize,
        now: Timestamp,
        timezone: &TimeZone,
    ) -> Result<DeploymentChoice, QueryError> {
        let time = |name, text: Option<&str>| parse_time(name, text, now, timezone);
        let filter = DeploymentFilter {
            service: self.service.clone(),
            env: self.env.as_deref().and_then(|env| Env::parse(env).only()),
            team: self.team.clone(),
            since: time("since", self.since.as_deref())?,
            until: time("until", self.until.as_deref())?,
            failed: false,
            ignored: self.ignored,
            limit,
            cursor: self.cursor.clone(),
        };
        Ok(DeploymentChoice::new(filter, self.failed))
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
        let ignored = self.ignored.then_some(flag_word(true));
        let rest = [("failed", self.failed.map(flag_word)), ("ignored", ignored), ("cursor", cursor)];
        site::query(&[&fields[..], &rest[..]].concat())
    }

    /// `true` if it lists all deployments.
    pub(super) fn is_unfiltered(&self) -> bool {
        self.link(None).is_empty()
    }
}
