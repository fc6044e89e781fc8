//! Opening the store, and the end of its writer.

use std::sync::Arc;

use tokio::sync::watch;

use super::error::RunError;
use crate::domain::forwarding::Destinations;
use crate::domain::policy::Policy;
use crate::sources;
use crate::store::{MAX_BACKLOG, OpenError, Settings, Store, StoreAddress, WriterState};
use crate::telemetry::metrics::Metrics;

/// Opens the store for writing. `fingerprint`: that of the version and the configuration.
pub(super) fn open_store(
    address: StoreAddress,
    (policy, destinations): (&Arc<Policy>, Destinations),
    (fingerprint, is_daemon): (Arc<str>, bool),
    metrics: Arc<Metrics>,
) -> Result<Store, OpenError> {
    let settings = Settings {
        policy: Arc::clone(policy),
        destinations,
        sources: sources::ALL,
        fingerprint: Some(fingerprint),
        is_daemon,
        max_backlog: MAX_BACKLOG,
        observer: metrics,
    };
    Store::open(address, settings)
}

/// Waits for the end of the writer, which comes after the last handle is dropped.
pub(super) async fn wait_for_writer(ended: &mut watch::Receiver<WriterState>) -> Result<(), RunError> {
    match ended.wait_for(|ended| *ended != WriterState::Running).await.map(|ended| ended.clone()) {
        Ok(WriterState::InDoubt(doubt)) => Err(RunError::InDoubt(doubt)),
        Ok(_) => Ok(()),
        // Each writer tells how it ended.
        Err(_) => Err(RunError::InDoubt("its writers ended without a word".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::run::store_address::store_of_daemon;
    use crate::store::PostgresAddress;

    /// The daemon waits for its database for a minute. This one does not wait.
    #[test]
    fn a_database_that_cannot_be_reached_is_named_in_one_line() {
        let config =
            Config::parse("[store]\nurl = \"postgres://dora@127.0.0.1:1/dora?sslmode=disable\"\n").unwrap();
        let StoreAddress::Postgres(address) = store_of_daemon(&config).unwrap() else { panic!() };
        assert_eq!(address.open_limit, Duration::from_mins(1));
        let impatient = PostgresAddress { open_limit: Duration::ZERO, ..(*address).clone() };
        let opened = open_store(
            StoreAddress::Postgres(Arc::new(impatient)),
            (&Arc::new(config.policy()), Destinations::default()),
            ("5eed".into(), true),
            Metrics::new([]),
        );
        let Err(error) = opened else { panic!("it was opened") };
        let message = RunError::from(error).to_string();
        assert!(
            message.starts_with("cannot use the store postgres://dora@127.0.0.1:1/dora: ")
                && message.contains("onnection refused")
                && message.lines().count() == 1,
            "{message}"
        );
    }
}
