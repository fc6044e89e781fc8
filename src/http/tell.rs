//! `POST /api/v1/outbox/tell`: tells backends again what ended at a time or later.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::tz::TimeZone;

use super::answer::in_time;
use super::api_error::ApiError;
use super::query::{FromQuery, Parameters, QueryError, TypedQuery, parse_time};
use crate::clock::Clock;
use crate::domain::forwarding::BackendEntry;
use crate::domain::tell::{TellOrder, TellPart, TellPlace, TellStep};
use crate::store::Store;

/// Parts for telling backends again.
pub(super) struct Telling {
    /// Store of the outbox.
    store: Store,
    /// Source of the present time.
    clock: Arc<dyn Clock>,
    /// Time zone in which days begin.
    timezone: TimeZone,
    /// Configured backends.
    backend_entries: Arc<[BackendEntry]>,
}

impl Telling {
    pub(super) fn new(
        store: &Store,
        clock: &Arc<dyn Clock>,
        timezone: &TimeZone,
        backend_entries: &Arc<[BackendEntry]>,
    ) -> Self {
        let (clock, backend_entries) = (Arc::clone(clock), Arc::clone(backend_entries));
        Self { store: store.clone(), clock, timezone: timezone.clone(), backend_entries }
    }
}

/// Query of `outbox tell`, for one step.
pub(super) struct TellQuery {
    since: String,
    backend: Option<String>,
    is_dry_run: bool,
    part: TellPart,
    at: Option<String>,
    after: i64,
}

impl FromQuery for TellQuery {
    const NAMES: &'static [&'static str] = &["since", "backend", "dry_run", "part", "at", "after"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self {
            part: parameters.word("part", TellPart::ALL, TellPart::as_str)?.unwrap_or_default(),
            is_dry_run: parameters.flag("dry_run")?,
            after: parameters.row("after")?,
            backend: parameters.text("backend"),
            at: parameters.text("at"),
            since: parameters.required("since")?,
        })
    }
}

/// `POST /api/v1/outbox/tell`: one step.
pub(super) async fn tell(
    State(telling): State<Arc<Telling>>,
    TypedQuery(query): TypedQuery<TellQuery>,
) -> Result<Json<TellStep>, ApiError> {
    let Telling { store, clock, timezone, backend_entries } = &*telling;
    let now = clock.now();
    let time = |name, text: &str| {
        let time = parse_time(name, Some(text), now, timezone)?;
        time.ok_or(QueryError::Missing(name))
    };
    let at = query.at.as_deref().map(|at| time("at", at)).transpose()?;
    let since = time("since", &query.since)?;
    if let Some(backend) = &query.backend {
        refuse_unknown(backend, backend_entries)?;
    }
    let from = TellPlace { part: query.part, at, after: query.after };
    let order = TellOrder { since, backend: query.backend, from, is_dry_run: query.is_dry_run };
    in_time(store.tell(order, now)).await.map(Json).map_err(|error| {
        tracing::warn!(%error, "backends could not be told again");
        ApiError::not_stored(&error)
    })
}

/// Refuses a backend that is not configured: what it is to be told is not known.
fn refuse_unknown(backend: &str, entries: &[BackendEntry]) -> Result<(), QueryError> {
    if entries.iter().any(|entry| entry.name == backend) {
        return Ok(());
    }
    let known: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(QueryError::invalid(
        "backend",
        format_args!("the daemon has no [[backend]] with the name {backend:?}; it has: {known}"),
    ))
}
