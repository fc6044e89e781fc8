//! `POST /api/v1/outbox/retry` and `/discard`: what a person wants done with all dead rows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::admin::{Admin, known_backend};
use super::answer::{in_time, refusal};
use super::query::{Asked, FromQuery, Parameters};
use crate::store::{After, Order, StoreError, Total};

/// Backend whose rows an order is for.
pub(super) struct Whose {
    /// Left out: those of all backends.
    backend: Option<String>,
}

impl FromQuery for Whose {
    const NAMES: &'static [&'static str] = &["backend"];

    fn from_query(parameters: &Parameters) -> Result<Self, String> {
        Ok(Self { backend: parameters.text("backend") })
    }
}

/// `POST /api/v1/outbox/retry`.
pub(super) async fn retry(
    State(admin): State<Arc<Admin>>,
    Asked(Whose { backend }): Asked<Whose>,
) -> Response {
    obey_all(&admin, backend, Order::Retry).await
}

/// `POST /api/v1/outbox/discard`.
pub(super) async fn discard(
    State(admin): State<Arc<Admin>>,
    Asked(Whose { backend }): Asked<Whose>,
) -> Response {
    obey_all(&admin, backend, Order::Discard).await
}

/// Each part in time, however many there are.
async fn some_at_a_time(admin: &Admin, backend: Option<String>, order: Order) -> Result<Total, StoreError> {
    let (mut total, mut after, now) = (Total::default(), Some(After::default()), admin.clock.now());
    // Before dead rows join those that wait.
    if order == Order::Retry {
        total += in_time(admin.store.hurry(backend.clone(), now)).await?;
    }
    while let Some(last) = after {
        let (part, next) = in_time(admin.store.order_some(backend.clone(), order, last, now)).await?;
        total += part;
        after = next;
    }
    Ok(total)
}

async fn obey_all(admin: &Admin, backend: Option<String>, order: Order) -> Response {
    if let Err(response) = known_backend(admin, backend.clone()).await {
        return response;
    }
    match some_at_a_time(admin, backend, order).await {
        Ok(total) => Json(total).into_response(),
        Err(error) => {
            tracing::warn!(%error, "rows of the outbox could not be changed");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store cannot be changed now.")
        }
    }
}
