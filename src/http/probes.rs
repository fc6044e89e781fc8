//! `/healthz` and `/readyz`: whether the program lives, and whether it can take events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::answer::in_time;
use super::api_error::ApiError;
use super::reads::StoreReads;
use crate::clock::Clock;
use crate::store::{Reader, Store};

/// Parts that `/readyz` asks.
pub(super) struct Readiness {
    /// To ask whether it can be written.
    pub(super) store: Store,
    /// To ask whether the store can be read.
    pub(super) reads: StoreReads,
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    /// Set once the program is about to end.
    pub(super) stop: watch::Receiver<bool>,
}

/// The process lives.
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// It can take events: the store, migrated when it was opened, can be written, and the end has not come.
pub(super) async fn readyz(State(readiness): State<Arc<Readiness>>) -> Result<Json<Value>, ApiError> {
    let not_ready = |detail: &str| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail);
    let Readiness { store, reads, clock, stop } = &*readiness;
    if *stop.borrow() {
        return Err(not_ready("The program is shutting down."));
    }
    let proof = in_time(store.prove_writable(clock.now())).await;
    let is_readable = reads.read(Reader::last_received_at).await.is_ok();
    // A small write may succeed where larger ones fail.
    match (proof, store.trouble()) {
        (Ok(()), None) if !is_readable => Err(not_ready("The store cannot be read: the log says why.")),
        (Ok(()), None) => Ok(Json(json!({ "status": "ready" }))),
        (Err(error), _) => Err(not_ready(&format!("The store cannot be written: {error}."))),
        (Ok(()), Some(trouble)) => Err(not_ready(&format!("The store cannot commit: {}.", trouble.error))),
    }
}
