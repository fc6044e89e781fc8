//! Parts of the daemon that stay the same when the configuration is read again.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::http::{BodyBudget, Token};
use crate::store::{FiguresReader, Reader, Store};
use crate::telemetry::metrics::Metrics;

/// Shared parts of the daemon. Each server and each loop takes only the parts that it uses.
pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    /// Reader for listings.
    pub(super) reader: Reader,
    /// Reader for figures.
    pub(super) figures: FiguresReader,
    /// Memory for the bodies of requests.
    pub(super) budget: BodyBudget,
    /// Token of the dashboard's forms.
    pub(super) token: Arc<Token>,
    /// Address that the admin listener is bound to.
    pub(super) admin_address: IpAddr,
    /// `true` once the program begins to stop.
    pub(super) stop: watch::Receiver<bool>,
}
