//! Answers of the admin listener include every event that was accepted before the request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::clock::Clock;
use crate::store::Store;

/// Longest wait of a request. In a rush of events, the request is then answered although failures are not up to date.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Longest wait of a scrape: operators need the program's own metrics in a rush, too.
const MAX_SCRAPE_WAIT: Duration = Duration::from_millis(100);

/// Waits until failures are up to date, for a limited time.
#[derive(Clone)]
pub(super) struct UpToDate {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
}

/// Waits until all stored events are folded into failures.
pub(super) async fn wait(State(state): State<UpToDate>, request: Request, next: Next) -> Response {
    let max_wait = match request.uri().path() {
        // These answers do not depend on failures.
        "/healthz" | "/readyz" => None,
        "/metrics" => Some(MAX_SCRAPE_WAIT),
        _ => Some(MAX_WAIT),
    };
    if let Some(max_wait) = max_wait {
        tokio::select! {
            biased;
            () = state.store.wait_until_folded() => {}
            () = state.clock.sleep(max_wait) => {}
        }
    }
    next.run(request).await
}
