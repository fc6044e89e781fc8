//! Orders to read the configuration again, from SIGHUP and from the admin listener.

use tokio::sync::{mpsc, oneshot};

use crate::config::changes::Reloaded;
use crate::http::{Reload, ReloadRefusal};

/// Result of a reload.
pub(super) type ReloadResult = Result<Reloaded, ReloadRefusal>;
/// An order, with the place for its answer.
pub(super) type ReloadOrder = oneshot::Sender<ReloadResult>;

/// Orders that may wait.
const WAITING: usize = 16;

/// Sender of orders from the admin listener.
pub(super) struct ReloadOrders(mpsc::Sender<ReloadOrder>);

impl ReloadOrders {
    /// Sender and receiver.
    pub(super) fn channel() -> (Self, mpsc::Receiver<ReloadOrder>) {
        let (send, receive) = mpsc::channel(WAITING);
        (Self(send), receive)
    }

    /// Function that orders a reload and waits for its result.
    pub(super) fn reload(&self) -> Reload {
        let orders = self.0.clone();
        Box::new(move || {
            let orders = orders.clone();
            Box::pin(async move {
                let is_stopping = || ReloadRefusal::NotNow("The daemon is stopping.".to_owned());
                let (order, result) = oneshot::channel();
                orders.send(order).await.map_err(|_| is_stopping())?;
                result.await.unwrap_or_else(|_| Err(is_stopping()))
            })
        })
    }
}
