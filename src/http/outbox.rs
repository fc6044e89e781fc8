//! The outbox in the admin API: its rows, and what a person wants done with them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::answer::in_time;
use super::api_error::ApiError;
use super::query::{FromQuery, Parameters, QueryError, TypedQuery};
use super::reads::StoreReads;
use crate::clock::Clock;
use crate::domain::forwarding::Recipient;
use crate::domain::name::named;
use crate::store::{
    After, CommandOutcome, OutboxFilter, OutboxPage, RowCommand, RowState, Store, StoreError, Total,
};

/// Parts that rows of the outbox are listed and changed with.
pub(super) struct Outbox {
    /// To change rows.
    pub(super) store: Store,
    /// To list rows.
    pub(super) reads: StoreReads,
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    /// The backends that are configured.
    pub(super) recipients: Arc<[Recipient]>,
}

/// The options of `outbox`, by the same names.
pub(super) struct OutboxQuery {
    state: Option<RowState>,
    backend: Option<String>,
    limit: usize,
    cursor: i64,
}

impl FromQuery for OutboxQuery {
    const NAMES: &'static [&'static str] = &["state", "backend", "limit", "cursor"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self {
            state: parameters.word("state", &RowState::ALL, RowState::as_str)?,
            backend: parameters.text("backend"),
            limit: parameters.limit()?,
            cursor: parameters.row("cursor")?,
        })
    }
}

/// `GET /api/v1/outbox`.
pub(super) async fn list(
    State(outbox): State<Arc<Outbox>>,
    TypedQuery(OutboxQuery { state, backend, limit, cursor }): TypedQuery<OutboxQuery>,
) -> Result<Json<OutboxPage>, ApiError> {
    let backend = named(backend);
    outbox.refuse_unknown(backend.clone()).await?;
    let filter = OutboxFilter { state, backend, after: cursor, limit };
    outbox.reads.read(move |reader| reader.outbox(&filter)).await.map(Json)
}

/// `POST /api/v1/outbox/{id}/retry`.
pub(super) async fn retry(
    State(outbox): State<Arc<Outbox>>,
    row: Result<Path<i64>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    outbox.apply(row, RowCommand::Retry).await
}

/// `POST /api/v1/outbox/{id}/discard`.
pub(super) async fn discard(
    State(outbox): State<Arc<Outbox>>,
    row: Result<Path<i64>, PathRejection>,
) -> Result<Json<Value>, ApiError> {
    outbox.apply(row, RowCommand::Discard).await
}

/// Backend whose dead rows an order is for.
pub(super) struct BackendQuery {
    /// Left out: those of all backends.
    backend: Option<String>,
}

impl FromQuery for BackendQuery {
    const NAMES: &'static [&'static str] = &["backend"];

    fn from_query(parameters: &Parameters) -> Result<Self, QueryError> {
        Ok(Self { backend: parameters.text("backend") })
    }
}

/// `POST /api/v1/outbox/retry`.
pub(super) async fn retry_all(
    State(outbox): State<Arc<Outbox>>,
    TypedQuery(BackendQuery { backend }): TypedQuery<BackendQuery>,
) -> Result<Json<Total>, ApiError> {
    outbox.apply_all(backend, RowCommand::Retry).await
}

/// `POST /api/v1/outbox/discard`.
pub(super) async fn discard_all(
    State(outbox): State<Arc<Outbox>>,
    TypedQuery(BackendQuery { backend }): TypedQuery<BackendQuery>,
) -> Result<Json<Total>, ApiError> {
    outbox.apply_all(backend, RowCommand::Discard).await
}

impl Outbox {
    /// Does with one row what a person wants.
    pub(super) async fn apply(
        &self,
        row: Result<Path<i64>, PathRejection>,
        command: RowCommand,
    ) -> Result<Json<Value>, ApiError> {
        // Where it is no number there is no such row either.
        let Ok(Path(row)) = row else {
            return Err(ApiError::not_found(CommandOutcome::NotFound.message(command)));
        };
        let obeyed =
            in_time(self.store.apply_command(row, command, self.clock.now())).await.map_err(|error| {
                tracing::warn!(%error, row, "a row of the outbox could not be changed");
                ApiError::store_unavailable()
            })?;
        let said = obeyed.message(command);
        match obeyed {
            CommandOutcome::Done => Ok(Json(json!({ "status": "done", "detail": said }))),
            CommandOutcome::NotFound => Err(ApiError::not_found(said)),
            CommandOutcome::Settled(_) | CommandOutcome::Outdated | CommandOutcome::UnderWay => {
                Err(ApiError::conflict(said))
            }
        }
    }

    /// Does with all dead rows what a person wants.
    async fn apply_all(&self, backend: Option<String>, command: RowCommand) -> Result<Json<Total>, ApiError> {
        self.refuse_unknown(backend.clone()).await?;
        self.some_at_a_time(backend, command).await.map(Json).map_err(|error| {
            tracing::warn!(%error, "rows of the outbox could not be changed");
            ApiError::store_unavailable()
        })
    }

    /// Each part in time, however many there are.
    async fn some_at_a_time(
        &self,
        backend: Option<String>,
        command: RowCommand,
    ) -> Result<Total, StoreError> {
        let (mut total, mut after, now) = (Total::default(), Some(After::default()), self.clock.now());
        // Before dead rows join those that wait.
        if command == RowCommand::Retry {
            total += in_time(self.store.request_retry(backend.clone(), now)).await?;
        }
        while let Some(last) = after {
            let (part, next) =
                in_time(self.store.apply_command_to_some(backend.clone(), command, last, now)).await?;
            total += part;
            after = next;
        }
        Ok(total)
    }

    /// Answers 400 where a backend is neither configured nor in the outbox: most often it is misspelt.
    async fn refuse_unknown(&self, backend: Option<String>) -> Result<(), ApiError> {
        let Some(backend) = backend else { return Ok(()) };
        let recipients = Arc::clone(&self.recipients);
        match self.reads.read(move |reader| reader.unknown_backend(&backend, &recipients)).await? {
            Some(unknown) => Err(QueryError::invalid("backend", unknown).into()),
            None => Ok(()),
        }
    }
}
