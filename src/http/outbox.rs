//! The outbox in the admin API: listing, retrying and discarding rows.

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
use crate::domain::forwarding::BackendEntry;
use crate::domain::name::named;
use crate::store::{
    CommandCursor, CommandOutcome, CommandTotals, OutboxFilter, OutboxPage, RetryCursor, RowCommand,
    RowState, Store, StoreError,
};

/// Parts for listing and changing rows of the outbox.
pub(super) struct Outbox {
    /// Changes rows.
    pub(super) store: Store,
    /// Lists rows.
    pub(super) reads: StoreReads,
    /// Source of the present time.
    pub(super) clock: Arc<dyn Clock>,
    /// Configured backends.
    pub(super) backend_entries: Arc<[BackendEntry]>,
}

/// Query with the options of `outbox`.
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
            state: parameters.word("state", RowState::ALL, RowState::as_str)?,
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
    let filter = OutboxFilter { state, hides_discarded: false, backend, after: cursor, limit };
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

/// Query of a command for all dead rows.
pub(super) struct BackendQuery {
    /// `None`: the rows of all backends.
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
) -> Result<Json<CommandTotals>, ApiError> {
    outbox.apply_all(backend, RowCommand::Retry).await
}

/// `POST /api/v1/outbox/discard`.
pub(super) async fn discard_all(
    State(outbox): State<Arc<Outbox>>,
    TypedQuery(BackendQuery { backend }): TypedQuery<BackendQuery>,
) -> Result<Json<CommandTotals>, ApiError> {
    outbox.apply_all(backend, RowCommand::Discard).await
}

impl Outbox {
    /// Retries or discards one row.
    pub(super) async fn apply(
        &self,
        row: Result<Path<i64>, PathRejection>,
        command: RowCommand,
    ) -> Result<Json<Value>, ApiError> {
        // An id that is not a number names no row.
        let Ok(Path(row)) = row else {
            return Err(ApiError::not_found(CommandOutcome::NotFound.message(command)));
        };
        let outcome =
            in_time(self.store.apply_command(row, command, self.clock.now())).await.map_err(|error| {
                tracing::warn!(%error, row, "a row of the outbox could not be changed");
                ApiError::not_stored(&error)
            })?;
        let detail = outcome.message(command);
        match outcome {
            CommandOutcome::Done => Ok(Json(json!({ "status": "done", "detail": detail }))),
            CommandOutcome::NotFound => Err(ApiError::not_found(detail)),
            CommandOutcome::Final(_) | CommandOutcome::Outdated | CommandOutcome::UnderWay => {
                Err(ApiError::conflict(detail))
            }
        }
    }

    /// Retries or discards all dead rows.
    async fn apply_all(
        &self,
        backend: Option<String>,
        command: RowCommand,
    ) -> Result<Json<CommandTotals>, ApiError> {
        self.refuse_unknown(backend.clone()).await?;
        self.apply_in_batches(backend, command).await.map(Json).map_err(|error| {
            tracing::warn!(%error, "rows of the outbox could not be changed");
            ApiError::not_stored(&error)
        })
    }

    /// Applies the command in batches, so that each batch is done in time.
    async fn apply_in_batches(
        &self,
        backend: Option<String>,
        command: RowCommand,
    ) -> Result<CommandTotals, StoreError> {
        let (mut total, mut after, now) =
            (CommandTotals::default(), Some(CommandCursor::default()), self.clock.now());
        // This comes first because it counts the waiting rows: the loop makes dead rows wait, too.
        let mut waiting = (command == RowCommand::Retry).then(RetryCursor::default);
        while let Some(last) = waiting {
            let (part, next) = in_time(self.store.request_retry_of_some(backend.clone(), last, now)).await?;
            total += part;
            waiting = next;
        }
        while let Some(last) = after {
            let (part, next) =
                in_time(self.store.apply_command_to_some(backend.clone(), command, last, now)).await?;
            total += part;
            after = next;
        }
        Ok(total)
    }

    /// Answers 400 if a backend is neither configured nor in the outbox. Usually its name is misspelt.
    async fn refuse_unknown(&self, backend: Option<String>) -> Result<(), ApiError> {
        let Some(backend) = backend else { return Ok(()) };
        let backend_entries = Arc::clone(&self.backend_entries);
        match self.reads.read(move |reader| reader.unknown_backend(&backend, &backend_entries)).await? {
            Some(unknown) => Err(QueryError::invalid("backend", unknown).into()),
            None => Ok(()),
        }
    }
}
