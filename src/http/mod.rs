//! The two listeners: the public one for webhooks and the event API, the admin one for people and probes.

mod admin;
mod answer;
mod api_error;
mod backfill;
mod board_cache;
mod boards;
mod body;
mod budget;
mod cached_figures;
mod connection;
mod dashboard;
mod deployment_choice;
mod deployment_fields;
mod deployment_json;
mod deployments;
mod events_api;
mod failure_json;
mod failures;
mod figures;
mod hosts;
mod import;
mod listener_service;
mod metrics;
mod openapi;
mod origin;
mod outbox;
mod probes;
mod progress;
mod quarantine;
mod query;
mod reads;
mod reevaluate;
mod refused;
mod reload;
mod requests;
mod server;
mod source_requests;
mod tell;
mod tls;
mod token;
mod up_to_date;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{any, delete, get, post};

use self::admin::AdminParts;
use self::up_to_date::UpToDate;

pub use admin::Admin;
pub use backfill::{DoStep, RunningStep};
pub use budget::BodyBudget;
pub use deployment_json::{DeploymentJson, DeploymentPageJson, DeploymentStoryJson};
pub use events_api::{EventsApi, Keys};
pub use failure_json::{FailureJson, FailurePageJson, StoryJson};
pub use hosts::Hosts;
pub use import::DoImport;
pub use listener_service::{CurrentRoutes, ListenerService};
pub use reload::{Reload, ReloadRefusal, RunningReload};
pub use requests::Requests;
pub use server::{Limits, serve};
pub use source_requests::SourceRequests;
pub use tls::{CurrentTls, Tls, TlsError, expires_soon};
pub use token::Token;
pub use webhook::WebhookIntake;

/// Routes for the sources of webhooks and the pipelines.
pub fn public(intakes: Vec<WebhookIntake>, events_api: EventsApi, requests: Arc<Requests>) -> Router {
    let mut router = Router::new();
    for intake in intakes.into_iter().map(Arc::new) {
        let path = &intake.source.webhooks.path;
        // People write a slash after the path, and proxies add or remove one.
        let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        for path in [path, &other].into_iter().filter(|path| !path.is_empty()) {
            router = router.route(path, post(webhook::receive).with_state(Arc::clone(&intake)));
        }
    }
    let state = Arc::new(events_api);
    for slash in ["", "/"] {
        let path = |kind: &str| format!("/api/v2/dora/{kind}{slash}");
        router = router
            .route(&path("deployment"), post(events_api::record_deployment).with_state(Arc::clone(&state)))
            .route(&path("failure"), post(events_api::submit).with_state(Arc::clone(&state)))
            .route(&path("incident"), post(events_api::submit).with_state(Arc::clone(&state)))
            .route(&path("failure/{id}"), delete(events_api::withdraw).with_state(Arc::clone(&state)));
    }
    router
        .fallback_service(any(requests::no_such_path).with_state(requests))
        .method_not_allowed_fallback(answer::method_not_allowed)
}

/// Routes for people and probes, and a task that computes the figures before the first request needs them.
pub fn admin(admin: Admin, hosts: Hosts) -> (Router, impl Future<Output = ()> + Send + 'static) {
    let up_to_date = UpToDate { store: admin.store.clone(), clock: Arc::clone(&admin.clock) };
    let requests = Arc::clone(&admin.requests);
    let parts = AdminParts::from(admin);
    let prepare = figures::prepare(Arc::clone(&parts.figures));
    let router = admin_router(parts)
        .layer(from_fn_with_state(up_to_date, up_to_date::wait))
        .layer(from_fn_with_state(Arc::new(hosts), hosts::guard))
        .layer(map_response(forbid_caching))
        .layer(from_fn_with_state(requests, requests::note_webhook_to_admin));
    (router, prepare)
}

/// Forbids caching: answers change at any moment, and may hold the titles of incidents.
async fn forbid_caching(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Pages for people.
fn pages() -> Router<AdminParts> {
    Router::new()
        .route("/", get(dashboard::index))
        .route("/style.css", get(dashboard::style::style))
        .route("/failures", get(dashboard::failure::list::list))
        .route("/failures.csv", get(dashboard::failure::list::download))
        .route("/failures/{id}", get(dashboard::failure::page::failure))
        .route("/deployments", get(dashboard::deployment::list::list))
        .route("/deployments/{id}", get(dashboard::deployment::page::deployment))
        .route("/deployments.csv", get(dashboard::deployment::list::download))
        .route("/services/{name}", get(dashboard::names::service))
        .route("/teams/{name}", get(dashboard::names::team))
        .route("/outbox", get(dashboard::outbox::page::list))
        .route("/outbox/{id}/retry", post(dashboard::outbox::commands::retry))
        .route("/outbox/{id}/group/retry", post(dashboard::outbox::commands::retry_group))
        .route(
            "/outbox/{id}/group/discard",
            get(dashboard::outbox::commands::confirm_discard)
                .post(dashboard::outbox::commands::discard_group),
        )
        .route("/quarantine", get(dashboard::quarantine::list))
        .route("/quarantine/{id}", get(dashboard::quarantine::one))
        .route("/quarantine/{id}/retry", post(dashboard::quarantine::retry))
}

fn admin_router(parts: AdminParts) -> Router {
    let zone = Arc::clone(&parts.zone);
    Router::new()
        .merge(pages().layer(from_fn(dashboard::guard)))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/api/v1/deployments", get(deployments::list))
        .route("/api/v1/deployments/{id}", get(deployments::one))
        .route("/api/v1/failures", get(failures::list))
        .route("/api/v1/failures/{id}", get(failures::one))
        .route("/api/v1/report", get(figures::report))
        .route("/api/v1/outbox", get(outbox::list))
        .route("/api/v1/outbox/retry", post(outbox::retry_all).layer(from_fn(origin::no_browser)))
        .route("/api/v1/outbox/discard", post(outbox::discard_all).layer(from_fn(origin::no_browser)))
        .route("/api/v1/outbox/tell", post(tell::tell).layer(from_fn(origin::no_browser)))
        .route("/api/v1/outbox/{id}/retry", post(outbox::retry).layer(from_fn(origin::no_browser)))
        .route("/api/v1/outbox/{id}/discard", post(outbox::discard).layer(from_fn(origin::no_browser)))
        .route("/api/v1/quarantine", get(quarantine::list))
        .route("/api/v1/quarantine/{id}/retry", post(quarantine::retry).layer(from_fn(origin::no_browser)))
        .route("/api/v1/reevaluate", post(reevaluate::reevaluate).layer(from_fn(origin::no_browser)))
        .route("/api/v1/reload", post(reload::reload).layer(from_fn(origin::no_browser)))
        .route("/api/v1/import", post(import::import).layer(from_fn(origin::no_browser)))
        .route("/api/v1/backfill", post(backfill::backfill).layer(from_fn(origin::no_browser)))
        .with_state(parts)
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(from_fn_with_state(zone, dashboard::as_page))
}
