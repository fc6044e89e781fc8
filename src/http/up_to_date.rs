//! Answers of the admin listener know every event that was answered before they were asked for.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::store::Store;

/// The longest that an answer waits for it. In a rush, failures are brought up to date only when it is over.
const PATIENCE: Duration = Duration::from_secs(1);

/// Paths whose answers say nothing of failures, or have to come at once.
const AT_ONCE: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Waits until all failures know the events that are kept.
pub(super) async fn wait(State(store): State<Store>, request: Request, next: Next) -> Response {
    if !AT_ONCE.contains(&request.uri().path()) {
        store.folded(PATIENCE).await;
    }
    next.run(request).await
}
