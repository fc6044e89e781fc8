//! The routes of both listeners, made of the daemon's parts and a configuration.

use std::sync::Arc;

use axum::Router;

use super::parts::Parts;
use super::setup::Setup;
use super::{backfill, import};
use crate::config::HostName;
use crate::config::listener_secrets::EVENTS_API_KEYS;
use crate::http::{self, Admin, EventsApi, Hosts, Keys, Requests, SourceRequests, WebhookIntake};
use crate::sources;
use crate::store::ReadError;

/// Requests to the public listener. Those before a reload are still known.
///
/// # Errors
/// The store cannot be read.
pub(super) fn requests(
    parts: &Parts,
    setup: &Setup,
    before: Option<&Requests>,
) -> Result<Arc<Requests>, ReadError> {
    let known = before.map_or(&[][..], Requests::sources);
    let sources = sources::webhooks(&setup.config, &setup.secrets).into_iter().map(|webhooks| {
        if let Some(known) = known.iter().find(|known| known.name() == &webhooks.source.name) {
            return Ok(known.reconfigured(webhooks));
        }
        let accepted_at = parts.listing_reader.last_received_from(&webhooks.source.name)?;
        let (metrics, clock) = (Arc::clone(&parts.metrics), Arc::clone(&parts.clock));
        Ok(SourceRequests::new(webhooks, metrics, clock, accepted_at))
    });
    let sources = sources.collect::<Result<_, ReadError>>()?;
    Ok(match before {
        Some(before) => before.with_sources(sources),
        None => Requests::new(Arc::clone(&parts.metrics), Arc::clone(&parts.clock), sources),
    })
}

/// Routes of the public listener: webhooks and the event API.
pub(super) fn public(parts: &Parts, setup: &Setup, requests: &Arc<Requests>) -> Router {
    let events_api = EventsApi {
        store: parts.store.clone(),
        budget: parts.budget.clone(),
        clock: Arc::clone(&parts.clock),
        policy: Arc::clone(&setup.policy),
        requests: Arc::clone(requests),
        keys: Keys::new(setup.secrets.of(EVENTS_API_KEYS)),
    };
    let intake = |source: &Arc<SourceRequests>| WebhookIntake {
        store: parts.store.clone(),
        budget: parts.budget.clone(),
        clock: Arc::clone(&parts.clock),
        metrics: Arc::clone(&parts.metrics),
        source: Arc::clone(source),
    };
    let intakes = requests.sources().iter().map(intake).collect();
    http::public(intakes, events_api, Arc::clone(requests))
}

/// Routes of the admin listener, and a task that computes the figures before the first request needs them.
pub(super) fn admin(
    parts: &Parts,
    setup: &Setup,
    requests: &Arc<Requests>,
) -> (Router, impl Future<Output = ()> + Send + use<>) {
    let config = &setup.config;
    let backfill = setup.pagerduty.as_ref().map(|client| {
        let (store, clock) = (parts.store.clone(), Arc::clone(&parts.clock));
        let backfill = backfill::backfill(config, client.clone(), store, clock);
        backfill::steps(backfill, parts.api_thread.handle.clone(), parts.stop.clone())
    });
    let imports = import::steps(
        config,
        &setup.policy,
        (&parts.store, &parts.clock),
        (&parts.api_thread.handle, &parts.stop),
    );
    let admin = Admin {
        store: parts.store.clone(),
        reader: parts.listing_reader.clone(),
        readiness_reader: parts.readiness_reader.clone(),
        clock: Arc::clone(&parts.clock),
        metrics: Arc::clone(&parts.metrics),
        policy: Arc::clone(&setup.policy),
        timezone: config.dora.timezone.zone().clone(),
        figures: parts.figures.clone(),
        backend_entries: config.backend_entries().into(),
        requests: Arc::clone(requests),
        backfill,
        imports,
        token: Arc::clone(&parts.token),
        reload: parts.reload_requests.reload(),
        stop: parts.stop.clone(),
    };
    http::admin(admin, Hosts::new(parts.admin_address, config.admin.hosts.iter().map(HostName::as_str)))
}
