//! `/healthz` and `/readyz`: the program runs, and it can accept events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::answer::{ANSWER_TIMEOUT, in_time};
use super::api_error::ApiError;
use super::reads::StoreReads;
use crate::clock::Clock;
use crate::store::{Reader, Store};

/// Parts that `/readyz` checks.
pub(super) struct Readiness {
    /// Store, to check that it can be written.
    pub(super) store: Store,
    /// Reads of the store, to check that it can be read.
    pub(super) reads: StoreReads,
    /// Source of the present time.
    pub(super) clock: Arc<dyn Clock>,
    /// `true` once the program begins to stop.
    pub(super) stop: watch::Receiver<bool>,
}

/// `GET /healthz`: the process runs.
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: the store can be written and read, and the program is not stopping. The store was migrated when it
/// was opened.
pub(super) async fn readyz(State(readiness): State<Arc<Readiness>>) -> Result<Json<Value>, ApiError> {
    let not_ready = |detail: &str| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail);
    let Readiness { store, reads, clock, stop } = &*readiness;
    if *stop.borrow() {
        return Err(not_ready("The program is shutting down."));
    }
    let reading = tokio::time::timeout(ANSWER_TIMEOUT, reads.read(Reader::last_received_at));
    let (proof, read) = tokio::join!(in_time(store.prove_writable(clock.now())), reading);
    let is_readable = read.is_ok_and(|read| read.is_ok());
    // A small write may succeed where larger ones fail.
    match (proof, store.trouble()) {
        (Ok(()), None) if !is_readable => Err(not_ready("The store cannot be read: the log says why.")),
        (Ok(()), None) => Ok(Json(json!({ "status": "ready" }))),
        (Err(error), _) => Err(not_ready(&format!("The store cannot be written: {error}."))),
        (Ok(()), Some(trouble)) => Err(not_ready(&format!("The store cannot commit: {}.", trouble.error))),
    }
}
