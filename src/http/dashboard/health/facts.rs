//! The state of each part in a few words, for the line of health.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::data::HealthData;
use crate::domain::lane::BackendState;
use crate::http::dashboard::parts::format::{ago, bytes, count, safe_text};

/// Largest number of backends that are named one by one.
const MOST_BACKENDS: usize = 4;

/// The facts, with dots between them.
pub(super) fn health_facts(data: &HealthData) -> Markup {
    let facts: Vec<Markup> = [intake(data), subscription(data), vec![deployment(data), store(data)]]
        .into_iter()
        .flatten()
        .chain(backends(data))
        .chain([dead_letters(data), quarantine(data)])
        .collect();
    html! { @for fact in &facts { " " span.fact { (fact) } } }
}

fn intake(data: &HealthData) -> Vec<Markup> {
    let sources = &data.received.webhooks;
    let of = |last: &crate::http::source_requests::LastWebhooks| {
        let name = if sources.len() == 1 { "webhook".to_owned() } else { format!("{} webhook", last.title) };
        html! {
            @match last.accepted_at {
                Some(at) => { "last " (name) " " (ago(data.now, at)) " ago" }
                None => { "no " (name) " yet" }
            }
            @if let Some(refused) = &last.refused { ", last refusal " (ago(data.now, refused.refusal.at)) " ago" }
        }
    };
    sources.iter().map(of).collect()
}

fn subscription(data: &HealthData) -> Vec<Markup> {
    let health = data.reconciliation.as_ref().and_then(|state| state.subscription.as_ref());
    let words =
        health.map(|health| if health.must_act { "subscription: see below" } else { "subscription fine" });
    words.into_iter().map(|words| html! { (words) }).collect()
}

fn deployment(data: &HealthData) -> Markup {
    html! {
        a href=(data.site.link("deployments")) {
            @match data.last_deployment_at {
                Some(at) if at > data.now => { "last deployment ends in the future" }
                Some(at) => { "last deployment " (ago(data.now, at)) " ago" }
                None => { "no deployment yet" }
            }
        }
    }
}

fn store(data: &HealthData) -> Markup {
    let size = bytes(data.gauges.sizes.database);
    html! { @if data.trouble.is_some() { "store cannot commit" } @else { "store " (size) } }
}

fn backends(data: &HealthData) -> Vec<Markup> {
    if data.backends.is_empty() {
        return vec![html! { "no backend" }];
    }
    let outbox = data.site.link("outbox");
    let states: Vec<(&String, BackendState)> =
        data.backends.iter().map(|name| (name, state(data, name))).collect();
    if states.len() > MOST_BACKENDS {
        let different: BTreeSet<&str> = states.iter().map(|(_, state)| state.description()).collect();
        let different: Vec<&str> = different.into_iter().collect();
        return vec![html! {
            a href=(outbox) { (count(u64::try_from(states.len()).unwrap_or(u64::MAX), "backend")) } " " (different.join(", "))
        }];
    }
    let one = |(name, state): &(&String, BackendState)| {
        html! { a href=(outbox) { bdi { (safe_text(name)) } } " " (state.description()) }
    };
    states.iter().map(one).collect()
}

/// State of a backend: the worse one of two credentials.
fn state(data: &HealthData, backend: &str) -> BackendState {
    let own = data.gauges.backends.iter().filter(|status| status.backend == backend);
    own.map(|status| status.state).max().unwrap_or(BackendState::Idle)
}

fn dead_letters(data: &HealthData) -> Markup {
    let dead: i64 = data.gauges.outbox.iter().map(|backend| backend.dead).sum();
    html! { a href=(data.site.link("outbox")) { (count(dead, "dead letter")) } }
}

fn quarantine(data: &HealthData) -> Markup {
    html! {
        @match data.gauges.quarantined {
            0 => { "quarantine empty" }
            n => { a href=(data.site.link("quarantine")) { (n) " in quarantine" } }
        }
    }
}
