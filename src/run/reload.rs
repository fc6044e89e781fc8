//! Requests of the admin listener to reload the configuration.

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::config::changes::Reloaded;
use crate::http::{Reload, ReloadRefusal};

/// Result of a reload.
pub(super) type ReloadResult = Result<Reloaded, ReloadRefusal>;
/// A request, with the place for its result.
pub(super) type ReloadRequest = oneshot::Sender<ReloadResult>;

/// Number of requests that may wait.
const WAITING: usize = 16;

/// Sender of requests.
pub(super) struct ReloadRequests(mpsc::Sender<ReloadRequest>);

impl ReloadRequests {
    /// Sender and receiver.
    pub(super) fn channel() -> (Self, mpsc::Receiver<ReloadRequest>) {
        let (send, receive) = mpsc::channel(WAITING);
        (Self(send), receive)
    }

    /// Function that requests a reload and waits for its result.
    pub(super) fn reload(&self) -> Reload {
        let requests = self.0.clone();
        Reload(Box::new(move || {
            let requests = requests.clone();
            Box::pin(async move {
                let is_stopping = || ReloadRefusal::NotNow("The daemon is stopping.".to_owned());
                let (request, result) = oneshot::channel();
                requests.try_send(request).map_err(|refused| match refused {
                    TrySendError::Full(_) => {
                        ReloadRefusal::NotNow("Too many reloads are waiting.".to_owned())
                    }
                    TrySendError::Closed(_) => is_stopping(),
                })?;
                result.await.unwrap_or_else(|_| Err(is_stopping()))
            })
        }))
    }
}
