//! Answers of the admin listener include every event that was accepted before the request.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::store::Store;

/// Longest wait of a request. In a rush of events, failures are up to date only after the rush.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest wait of a scrape: operators need the program's own metrics in a rush, too.
const SCRAPE_PATIENCE: Duration = Duration::from_millis(100);

/// Waits until all stored events are folded into failures.
pub(super) async fn wait(State(store): State<Store>, request: Request, next: Next) -> Response {
    match request.uri().path() {
        // These answers do not depend on failures.
        "/healthz" | "/readyz" => {}
        "/metrics" => store.folded(SCRAPE_PATIENCE).await,
        _ => store.folded(PATIENCE).await,
    }
    next.run(request).await
}
