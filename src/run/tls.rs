//! The certificate of the public listener, and warnings before it expires.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{Config, Problem};
use crate::domain::timestamp::Timestamp;
use crate::http::{Tls, expires_soon};

/// Time between two warnings.
const WARN_EVERY: Duration = Duration::from_hours(24);
/// Longest time between two looks. It limits the delay if the clock is set.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// Reads the files of `server.tls`. `None` if it is not configured.
///
/// # Errors
/// A file cannot be used.
pub(crate) fn tls(config: &Config) -> Result<Option<Tls>, Problem> {
    let loaded = config.server.tls.as_ref().map(Tls::load).transpose();
    loaded.map_err(|error| config.locate(Problem::with_key(error.key, error)))
}

/// Warns once a day of a certificate that expires soon, or has expired.
pub(super) async fn warn_of_expiry(
    expires_at: Timestamp,
    clock: Arc<dyn Clock>,
    mut stop: watch::Receiver<bool>,
) {
    let mut warned_at: Option<Timestamp> = None;
    loop {
        let now = clock.now();
        let is_due = warned_at.is_none_or(|warned_at| now >= warned_at.saturating_add(WARN_EVERY));
        if is_due && expires_soon(expires_at, now) {
            warned_at = Some(now);
            let state = if now < expires_at {
                "expires soon"
            } else {
                "has expired: PagerDuty delivers no webhook, and resends each for 48 hours"
            };
            tracing::warn!(
                %expires_at,
                "the certificate of the public listener {state}. Put the new one in place, and reload the configuration"
            );
        }
        tokio::select! {
            // An error means that the sender of the signal was dropped, which counts as the signal, too.
            _ = stop.wait_for(|stop| *stop) => return,
            () = clock.sleep(LOOK_EVERY) => {}
        }
    }
}
