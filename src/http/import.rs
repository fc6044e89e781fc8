//! `POST /api/v1/import`: reads some of the failures and deployments that Datadog holds in a period.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;

use super::api_error::ApiError;
use super::backfill::{DoStep, expect_policy, refused};
use super::query::{FromQuery, Parameters, QueryError, TypedQuery, parse_time, required_time};
use crate::clock::Clock;
use crate::domain::import::{ImportOrder, ImportStep};
use crate::domain::policy::Policy;

/// Does a step of an import.
pub type DoImport = DoStep<ImportOrder, ImportStep>;

/// Parts for imports.
pub(super) struct Importing {
    /// Steps of an import from each backend that lists what it holds, by the backend's name.
    steps: BTreeMap<String, DoImport>,
    /// Source of the present time.
    clock: Arc<dyn Clock>,
    /// Time zone in which days begin.
    timezone: TimeZone,
    /// Policy of the present configuration.
    policy: Arc<Policy>,
}

impl Importing {
    pub(super) fn new(
        steps: BTreeMap<String, DoImport>,
        clock: &Arc<dyn Clock>,
        timezone: &TimeZone,
        policy: &Arc<Policy>,
    ) -> Self {
        let (clock, policy) = (Arc::clone(clock), Arc::clone(policy));
        Self { steps, clock, timezone: timezone.clone(), policy }
    }
}

/// Query of one step of an import.
pub(super) struct ImportQuery {
    /// Fingerprint of the policy that the caller expects.
    policy: String,
    backend: String,
    since: String,
    until: Option<String>,
    at: Option<String>,
    is_dry_run: bool,
}

impl FromQuery for ImportQuery {
    const NAMES: &'static [&'static str] = &["policy", "backend", "since", "until", "at", "dry_run"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self {
            policy: parameters.required("policy")?,
            backend: parameters.required("backend")?,
            since: parameters.required("since")?,
            until: parameters.text("until"),
            at: parameters.text("at"),
            is_dry_run: parameters.flag("dry_run")?,
        })
    }
}

/// `POST /api/v1/import`: refused if the daemon does not run with the configuration that the caller expects.
pub(super) async fn import(
    State(parts): State<Arc<Importing>>,
    TypedQuery(query): TypedQuery<ImportQuery>,
) -> Result<Json<ImportStep>, ApiError> {
    let now = parts.clock.now();
    let time = |name, text: Option<&str>| parse_time(name, text, now, &parts.timezone);
    let since = required_time("since", &query.since, now, &parts.timezone)?;
    let until = time("until", query.until.as_deref())?.unwrap_or(now);
    let at = time("at", query.at.as_deref())?.unwrap_or(since);
    if !(since..=until).contains(&at) {
        return Err(QueryError::invalid("at", "must not be before since or after until").into());
    }
    expect_policy(&query.policy, &parts.policy)?;
    let Some(step) = parts.steps.get(&query.backend) else {
        let detail = format_args!(
            "The daemon runs without a backend {:?} of kind \"datadog\" with an application_key: add it, and reload or \
             restart the daemon.",
            query.backend
        );
        return Err(ApiError::new(StatusCode::CONFLICT, "not_configured", detail));
    };
    let is_dry_run = query.is_dry_run;
    step(ImportOrder { since, until, at, is_dry_run }).await.map(Json).map_err(refused)
}
