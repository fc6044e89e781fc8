//! `POST /api/v1/backfill`: reads some of the incidents that were created in a period from PagerDuty's REST API.

use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;

use super::api_error::ApiError;
use super::query::{FromQuery, Parameters, QueryError, TypedQuery, parse_time, required_time};
use crate::clock::Clock;
use crate::domain::backfill::{BackfillError, BackfillOrder, BackfillStep};
use crate::domain::policy::Policy;

/// A step of a backfill or an import, under way.
pub type RunningStep<S> = Pin<Box<dyn Future<Output = Result<S, BackfillError>> + Send>>;
/// Does a step of a backfill or an import.
pub type DoStep<O, S> = Box<dyn Fn(O) -> RunningStep<S> + Send + Sync>;

/// Parts for a backfill.
pub(super) struct Backfilling {
    /// `None` if `[pagerduty.api]` is not configured.
    pub(super) step: Option<DoStep<BackfillOrder, BackfillStep>>,
    /// Source of the present time.
    pub(super) clock: Arc<dyn Clock>,
    /// Time zone in which days begin.
    pub(super) timezone: TimeZone,
    /// Policy of the present configuration.
    pub(super) policy: Arc<Policy>,
}

/// Query of one step of a backfill.
pub(super) struct BackfillQuery {
    /// Fingerprint of the policy that the caller expects.
    policy: String,
    since: String,
    until: Option<String>,
    at: Option<String>,
    is_dry_run: bool,
    is_quiet: bool,
}

impl FromQuery for BackfillQuery {
    const NAMES: &'static [&'static str] = &["policy", "since", "until", "at", "dry_run", "quiet_backends"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self {
            policy: parameters.required("policy")?,
            since: parameters.required("since")?,
            until: parameters.text("until"),
            at: parameters.text("at"),
            is_dry_run: parameters.flag("dry_run")?,
            is_quiet: parameters.flag("quiet_backends")?,
        })
    }
}

/// `POST /api/v1/backfill`: refused if the daemon does not run with the configuration that the caller expects.
pub(super) async fn backfill(
    State(parts): State<Arc<Backfilling>>,
    TypedQuery(query): TypedQuery<BackfillQuery>,
) -> Result<Json<BackfillStep>, ApiError> {
    let now = parts.clock.now();
    let time = |name, text: Option<&str>| parse_time(name, text, now, &parts.timezone);
    let since = required_time("since", &query.since, now, &parts.timezone)?;
    let until = time("until", query.until.as_deref())?.unwrap_or(now);
    let at = time("at", query.at.as_deref())?.unwrap_or(since);
    if !(since..=until).contains(&at) {
        return Err(QueryError::invalid("at", "must not be before since or after until").into());
    }
    expect_policy(&query.policy, &parts.policy)?;
    let Some(step) = &parts.step else {
        let detail = "The daemon runs without [pagerduty.api]: add it, and reload or restart the daemon.";
        return Err(ApiError::new(StatusCode::CONFLICT, "not_configured", detail));
    };
    let BackfillQuery { is_dry_run, is_quiet, .. } = query;
    let done = step(BackfillOrder { since, until, at, is_dry_run, is_quiet }).await;
    done.map(Json).map_err(refused)
}

/// Checks the fingerprint of the policy that the caller expects.
pub(super) fn expect_policy(fingerprint: &str, policy: &Policy) -> Result<(), ApiError> {
    if fingerprint == policy.fingerprint() {
        return Ok(());
    }
    let detail = "The daemon runs with another configuration: reload or restart it, then try again.";
    Err(ApiError::new(StatusCode::CONFLICT, "other_configuration", detail))
}

/// Answer to a step that failed.
pub(super) fn refused(error: BackfillError) -> ApiError {
    match error {
        BackfillError::TakenOver => ApiError::conflict(error),
        BackfillError::NotStored(_) => {
            tracing::warn!(%error, "a part of the past could not be stored");
            ApiError::store_unavailable()
        }
        BackfillError::NoAnswer(_) => ApiError::new(StatusCode::BAD_GATEWAY, "no_answer", error),
    }
}
