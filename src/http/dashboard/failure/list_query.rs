//! Filters of the listing of failures.

use jiff::tz::TimeZone;

use crate::domain::failure::FailureState;
use crate::domain::figures::Env;
use crate::domain::name::named;
use crate::domain::timestamp::Timestamp;
use crate::http::dashboard::parts::listing::{Field, SINCE_EXAMPLE};
use crate::http::dashboard::parts::site;
use crate::http::query::{FromQuery, Parameters, QueryError, parse_time};
use crate::store::FailureFilter;

/// Query of the listing and of its CSV. Texts are as they were typed.
pub(in crate::http) struct ListingQuery {
    pub(super) state: Option<FailureState>,
    service: Option<String>,
    team: Option<String>,
    env: Option<String>,
    severity: Option<String>,
    since: Option<String>,
    until: Option<String>,
    pub(super) cursor: Option<String>,
}

impl FromQuery for ListingQuery {
    const NAMES: &'static [&'static str] =
        &["state", "service", "team", "env", "severity", "since", "until", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        let text = |name| named(parameters.text(name));
        Ok(Self {
            state: parameters.chosen("state", FailureState::ALL, FailureState::as_str)?,
            service: text("service"),
            team: text("team"),
            env: text("env"),
            severity: text("severity"),
            since: text("since"),
            until: text("until"),
            cursor: text("cursor"),
        })
    }
}

impl ListingQuery {
    /// The filter for the store.
    pub(super) fn filter(
        &self,
        limit: usize,
        now: Timestamp,
        timezone: &TimeZone,
    ) -> Result<FailureFilter, QueryError> {
        Ok(FailureFilter {
            state: self.state,
            service: self.service.clone(),
            team: self.team.clone(),
            env: self.env.as_deref().and_then(|env| Env::parse(env).only()),
            severity: self.severity.clone(),
            since: parse_time("since", self.since.as_deref(), now, timezone)?,
            until: parse_time("until", self.until.as_deref(), now, timezone)?,
            limit,
            cursor: self.cursor.clone(),
        })
    }

    /// The fields of the form, without the state.
    pub(super) fn fields(&self) -> [Field<'_>; 6] {
        let name = |name, label, value| Field { name, label, value, example: None };
        let (since, until) = (self.since.as_deref(), self.until.as_deref());
        [
            name("service", "Service", self.service.as_deref()),
            name("team", "Team", self.team.as_deref()),
            name("env", "Env", self.env.as_deref()),
            name("severity", "Severity", self.severity.as_deref()),
            Field { name: "since", label: "Since", value: since, example: Some(SINCE_EXAMPLE) },
            Field { name: "until", label: "Until (excluded)", value: until, example: None },
        ]
    }

    /// Query of a link with the same filters, which continues at a cursor.
    pub(super) fn link(&self, cursor: Option<&str>) -> String {
        let state = ("state", self.state.map(FailureState::as_str));
        let fields = self.fields().map(|field| (field.name, field.value));
        site::query(&[&[state][..], &fields[..], &[("cursor", cursor)][..]].concat())
    }

    /// `true` if it lists all failures.
    pub(super) fn is_unfiltered(&self) -> bool {
        self.link(None).is_empty()
    }
}
