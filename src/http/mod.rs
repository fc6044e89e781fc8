//! The two listeners: the public one for webhooks and the event API, the admin one for people and probes.

mod admin;
mod answer;
mod body;
mod dashboard;
mod events_api;
mod figures;
mod kept;
mod openapi;
mod server;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{delete, get, post};

pub use admin::Admin;
pub use body::BodyBudget;
pub use dashboard::Token;
pub use events_api::EventsApi;
pub use figures::Figures;
pub use server::{Limits, serve};
pub use webhook::Intake;

/// What PagerDuty and the pipelines reach.
pub fn public(path: &str, intake: Intake, events_api: Option<EventsApi>) -> Router {
    let mut router = Router::new().route(path, post(webhook::receive).with_state(Arc::new(intake)));
    if let Some(events_api) = events_api {
        let state = Arc::new(events_api);
        router = router
            .route("/api/v2/dora/deployment", post(events_api::deploy).with_state(Arc::clone(&state)))
            .route("/api/v2/dora/failure", post(events_api::submit).with_state(Arc::clone(&state)))
            .route("/api/v2/dora/incident", post(events_api::submit).with_state(Arc::clone(&state)))
            .route("/api/v2/dora/failure/{id}", delete(events_api::withdraw).with_state(state));
    }
    router.fallback(answer::not_found).method_not_allowed_fallback(answer::method_not_allowed)
}

/// What people and probes reach, and what is to be done beside it so that nobody waits long for the figures.
pub fn admin(admin: Admin) -> (Router, impl Future<Output = ()> + Send + 'static) {
    let admin = Arc::new(admin);
    let prepare = figures::prepare(Arc::clone(&admin));
    (admin_router(admin), prepare)
}

fn admin_router(admin: Arc<Admin>) -> Router {
    let pages = Router::new()
        .route("/", get(dashboard::index))
        .route("/style.css", get(dashboard::style))
        .route("/failures/{id}", get(dashboard::failure))
        .route("/outbox/{id}/retry", post(dashboard::retry))
        .layer(from_fn(dashboard::guard));
    Router::new()
        .merge(pages)
        .route("/healthz", get(admin::healthz))
        .route("/readyz", get(admin::readyz))
        .route("/metrics", get(figures::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/api/v1/failures", get(admin::failures))
        .route("/api/v1/failures/{id}", get(admin::failure))
        .route("/api/v1/report", get(figures::report))
        .route("/api/v1/outbox", get(admin::outbox))
        .route("/api/v1/outbox/{id}/retry", post(admin::retry).layer(from_fn(admin::no_browser)))
        .route("/api/v1/outbox/{id}/discard", post(admin::discard).layer(from_fn(admin::no_browser)))
        .route("/api/v1/reevaluate", post(admin::reevaluate).layer(from_fn(admin::no_browser)))
        .with_state(admin)
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
}
