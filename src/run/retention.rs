//! Removal of raw bodies past their retention.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::domain::timestamp::Timestamp;
use crate::store::{Store, StoreError};

/// Time between two removals of bodies past their retention.
const RETENTION_EVERY: Duration = Duration::from_hours(1);

/// Removes raw bodies past their retention, and gives their space back. Events and failures stay.
pub(super) async fn forget_old_bodies(
    store: Store,
    clock: Arc<dyn Clock>,
    retention: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let forget = async {
        loop {
            if let Err(error) = forget_before(&store, clock.now().saturating_sub(retention)).await {
                tracing::warn!(%error, "cannot remove old webhook bodies: will retry in an hour");
            }
            clock.sleep(RETENTION_EVERY).await;
        }
    };
    tokio::select! {
        // The writer does not go on with work that nobody waits for.
        _ = stop.wait_for(|stop| *stop) => {}
        () = forget => {}
    }
}

async fn forget_before(store: &Store, before: Timestamp) -> Result<(), StoreError> {
    while store.forget_bodies(before).await? > 0 {}
    store.give_back_space().await
}
