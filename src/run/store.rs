//! Opening the store, and the end of its writer.

use std::sync::Arc;

use tokio::sync::watch;

use super::error::RunError;
use crate::config::Config;
use crate::domain::forwarding::Destinations;
use crate::domain::policy::Policy;
use crate::sources;
use crate::store::{MAX_BACKLOG, OpenError, Settings, Store, WriterState};
use crate::telemetry::metrics::Metrics;

pub(super) fn open_store(
    config: &Config,
    policy: &Arc<Policy>,
    destinations: Destinations,
    metrics: Arc<Metrics>,
) -> Result<Store, OpenError> {
    let settings = Settings {
        policy: Arc::clone(policy),
        destinations,
        sources: sources::ALL,
        max_backlog: MAX_BACKLOG,
        observer: metrics,
    };
    Store::open(&config.store.path, settings)
}

/// Waits for the end of the writer, which comes after the last handle is dropped.
pub(super) async fn wait_for_writer(ended: &mut watch::Receiver<WriterState>) -> Result<(), RunError> {
    match ended.wait_for(|ended| *ended != WriterState::Running).await.map(|ended| ended.clone()) {
        Ok(WriterState::InDoubt(doubt)) => Err(RunError::InDoubt(doubt)),
        Ok(_) => Ok(()),
        Err(_) => Err(RunError::InDoubt("its writer ended unexpectedly".to_owned())),
    }
}
