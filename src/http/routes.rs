//! The routes of a listener, which a reload replaces while connections stay open.

use axum::Router;
use tokio::sync::watch;

/// Present routes of a listener. They answer the requests that arrive from now on, also on open connections.
pub type Routes = watch::Receiver<Router>;
