//! Time for the client's waits.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

/// Time that passes, and waits. Tests have a timer of their own: with a stopped clock of tokio, the timeout of a real
/// connection would pass at once.
pub(super) trait Timer: Send + Sync {
    /// The present moment. Setting the machine's clock does not change it.
    fn now(&self) -> Instant;

    /// Ready once `wait` has passed.
    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The timer of the program.
pub(super) struct TokioTimer;

impl Timer for TokioTimer {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(wait))
    }
}
