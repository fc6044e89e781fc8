//! Answers of the admin listener know every event that was answered before they were asked for.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::store::Store;

/// The longest that an answer waits for it. In a rush, failures are brought up to date only when it is over.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest that a scrape waits for it: operators need the program's own metrics in a rush, too.
const SCRAPE_PATIENCE: Duration = Duration::from_millis(100);

/// Waits until all failures know the events that are kept.
pub(super) async fn wait(State(store): State<Store>, request: Request, next: Next) -> Response {
    match request.uri().path() {
        // They say nothing of failures.
        "/healthz" | "/readyz" => {}
        "/metrics" => store.folded(SCRAPE_PATIENCE).await,
        _ => store.folded(PATIENCE).await,
    }
    next.run(request).await
}
