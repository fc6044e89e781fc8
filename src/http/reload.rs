//! `POST /api/v1/reload`: reads the configuration again, as SIGHUP does.

use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::api_error::ApiError;
use crate::config::changes::Reloaded;

/// A reload under way.
pub type RunningReload = Pin<Box<dyn Future<Output = Result<Reloaded, ReloadRefusal>> + Send>>;
/// Has the daemon read its configuration again.
pub struct Reload(pub Box<dyn Fn() -> RunningReload + Send + Sync>);

/// Reason why a reload changed nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReloadRefusal {
    /// The configuration has mistakes. The text names them all.
    #[error("{0}")]
    Wrong(String),
    /// The configuration is right, but could not be put into effect now.
    #[error("{0}")]
    NotNow(String),
}

/// `POST /api/v1/reload`
pub(super) async fn reload(State(reload): State<Arc<Reload>>) -> Result<Json<Reloaded>, ApiError> {
    (reload.0)().await.map(Json).map_err(|refusal| match refusal {
        ReloadRefusal::Wrong(mistakes) => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong_configuration", mistakes)
        }
        ReloadRefusal::NotNow(reason) => ApiError::unavailable(reason),
    })
}
