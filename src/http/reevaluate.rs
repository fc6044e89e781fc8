//! `POST /api/v1/reevaluate`: reevaluates past failures and deployments under the present configuration.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;

use super::api_error::ApiError;
use super::query::{FromQuery, Parameters, QueryError, TypedQuery, parse_time};
use crate::clock::Clock;
use crate::domain::policy::Policy;
use crate::store::{ReevaluatePart, ReevaluatePlace, ReevaluateSpan, ReevaluatedBatch, Store};

/// Parts for reevaluating failures.
pub(super) struct Reevaluation {
    /// Store of the failures.
    pub(super) store: Store,
    /// Source of the present time.
    pub(super) clock: Arc<dyn Clock>,
    /// Time zone in which days begin.
    pub(super) timezone: TimeZone,
    /// Policy of the present configuration.
    pub(super) policy: Arc<Policy>,
}

const PARTS: [ReevaluatePart; 2] = [ReevaluatePart::Failures, ReevaluatePart::Deployments];

/// Query of `reevaluate`, for one batch.
pub(super) struct ReevaluateQuery {
    /// Fingerprint of the policy that the caller expects.
    policy: String,
    since: Option<String>,
    from: ReevaluatePlace,
}

impl FromQuery for ReevaluateQuery {
    const NAMES: &'static [&'static str] = &["policy", "since", "part", "after"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        let part = parameters.word("part", &PARTS, ReevaluatePart::as_str)?.unwrap_or_default();
        Ok(Self {
            policy: parameters.required("policy")?,
            since: parameters.text("since"),
            from: ReevaluatePlace { part, after: parameters.row("after")? },
        })
    }
}

/// `POST /api/v1/reevaluate`: refused if the daemon does not run with the configuration that the caller expects.
pub(super) async fn reevaluate(
    State(reevaluation): State<Arc<Reevaluation>>,
    TypedQuery(query): TypedQuery<ReevaluateQuery>,
) -> Result<Json<ReevaluatedBatch>, ApiError> {
    let Reevaluation { store, clock, timezone, policy } = &*reevaluation;
    let now = clock.now();
    let since = parse_time("since", query.since.as_deref(), now, timezone)?;
    if query.policy != policy.fingerprint() {
        let detail = "The daemon runs with another configuration: reload or restart it, then try again.";
        return Err(ApiError::new(StatusCode::CONFLICT, "other_configuration", detail));
    }
    store.reevaluate(ReevaluateSpan { since, from: query.from }, now).await.map(Json).map_err(|error| {
        tracing::warn!(%error, "failures and deployments could not be reevaluated");
        ApiError::not_stored(&error)
    })
}
