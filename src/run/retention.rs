//! Removal of raw bodies past their retention.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::store::Store;

/// Time between two removals of bodies past their retention.
const RETENTION_EVERY: Duration = Duration::from_hours(1);

/// Removes raw bodies past their retention, and gives their space back. Events and failures stay.
pub(super) async fn forget_old_bodies(
    store: Store,
    clock: Arc<dyn Clock>,
    retention: Duration,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let before = clock.now().saturating_sub(retention);
        match store.forget_bodies(before).await {
            Ok(1..) if !*stop.borrow() => continue,
            Ok(_) => give_back_space(&store).await,
            Err(error) => tracing::warn!(%error, "cannot remove old webhook bodies: will retry in an hour"),
        }
        tokio::select! {
            _ = stop.changed() => return,
            () = clock.sleep(RETENTION_EVERY) => {}
        }
    }
}

async fn give_back_space(store: &Store) {
    if let Err(error) = store.give_back_space().await {
        tracing::warn!(%error, "the space of removed webhook bodies could not be given back: will retry in an hour");
    }
}
