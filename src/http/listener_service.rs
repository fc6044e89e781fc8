//! Routes and TLS of a listener. A reload replaces both while connections stay open.

use axum::Router;
use tokio::sync::watch;

use super::tls::CurrentTls;
use crate::telemetry::connections::RefusedConnections;

/// Present routes of a listener. They answer the requests that arrive from now on, also on open connections.
pub type CurrentRoutes = watch::Receiver<Router>;

/// Routes and TLS of a listener.
#[derive(Clone)]
pub struct ListenerService {
    /// Present routes.
    pub routes: CurrentRoutes,
    /// Present TLS. It is used by connections that are accepted from now on.
    pub tls: CurrentTls,
    /// Counters of connections that were refused.
    pub refused: RefusedConnections,
}
