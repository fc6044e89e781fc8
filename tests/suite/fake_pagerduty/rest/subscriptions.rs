//! Subscriptions to webhooks.

use serde_json::{Value, json};

use super::body::Object;
use super::page::{PAGE, Page};
use super::request::{Refusal, Request, code};
use crate::fake_pagerduty::state::State;
use crate::fake_pagerduty::subscription::{Filter, Subscription};

/// Most subscriptions for one service, one team, or the account.
const MOST_PER_FILTER: usize = 10;

/// Event types that a subscription may name (PagerDuty: Webhooks, Event Types).
const EVENTS: [&str; 30] = [
    "incident.acknowledged",
    "incident.action_invocation.created",
    "incident.action_invocation.terminated",
    "incident.action_invocation.updated",
    "incident.annotated",
    "incident.conference_bridge.updated",
    "incident.custom_field_values.updated",
    "incident.delegated",
    "incident.escalated",
    "incident.incident_type.changed",
    "incident.priority_updated",
    "incident.reassigned",
    "incident.reopened",
    "incident.resolved",
    "incident.responder.added",
    "incident.responder.replied",
    "incident.role.assigned",
    "incident.service_updated",
    "incident.status_update_published",
    "incident.task.completed",
    "incident.task.created",
    "incident.task.updated",
    "incident.triggered",
    "incident.unacknowledged",
    "incident.workflow.completed",
    "incident.workflow.started",
    "service.created",
    "service.custom_field_values.updated",
    "service.deleted",
    "service.updated",
];

/// `GET /webhook_subscriptions`.
pub(super) fn list(state: &State, request: &Request) -> Result<Value, Refusal> {
    let query = request.query(&[&PAGE[..], &["filter_type", "filter_id"]].concat())?;
    let kind = query.choice("filter_type", &["account", "service", "team"])?;
    let is_found = |subscription: &&Subscription| {
        let filter = &subscription.filter;
        kind.is_none_or(|kind| filter.kind.strip_suffix("_reference") == Some(kind))
            && query.one("filter_id").is_none_or(|id| filter.id.as_deref() == Some(id))
    };
    let found: Vec<&Subscription> = state.subscriptions.iter().filter(is_found).collect();
    Ok(Page::of(query)?.json("webhook_subscriptions", &found, |subscription| subscription.json(false)))
}

/// `GET /webhook_subscriptions/{id}`.
pub(super) fn get(state: &mut State, request: &Request, id: &str) -> Result<Value, Refusal> {
    request.query(&[])?;
    let subscription = state.subscription(id).ok_or_else(Refusal::not_found)?;
    Ok(json!({ "webhook_subscription": subscription.json(false) }))
}

/// `POST /webhook_subscriptions`. Only this answer has the secret.
pub(super) fn create(state: &mut State, request: &Request) -> Result<Value, Refusal> {
    request.query(&[])?;
    let body = request.json()?;
    let wrapped = Object::of("the body", &body, &["webhook_subscription"])?.need("webhook_subscription")?;
    let allowed = ["type", "active", "delivery_method", "description", "events", "filter"];
    let new = Object::of("webhook_subscription", wrapped, &allowed)?;
    let wrong = |error: &str| Refusal::mistake(code::INVALID, error);
    new.need("type")?;
    new.choice("type", &["webhook_subscription"])?;
    let allowed = ["type", "url", "custom_headers", "temporarily_disabled"];
    let method = Object::of("delivery_method", new.need("delivery_method")?, &allowed)?;
    method.need("type")?;
    method.choice("type", &["http_delivery_method"])?;
    let url = method.text("url")?.ok_or_else(|| wrong("delivery_method has no url"))?;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(wrong("url of delivery_method is not http or https"));
    }
    let events = events(&new)?.ok_or_else(|| wrong("webhook_subscription has no events"))?;
    let filter = filter(new.need("filter")?)?;
    if state.subscriptions.iter().filter(|known| known.filter == filter).count() >= MOST_PER_FILTER {
        return Err(Refusal::correct(400, code::LIMIT, "Product Limit Reached"));
    }
    let id = state.ids.other();
    let subscription = Subscription {
        url: url.to_owned(),
        secret: format!("secret-of-the-subscription-{id}"),
        description: new.text("description")?.unwrap_or_default().to_owned(),
        events,
        filter,
        active: new.flag("active")?.unwrap_or(true),
        temporarily_disabled: false,
        dropped: 0,
        id,
    };
    let object = subscription.json(true);
    state.subscriptions.push(subscription);
    Ok(json!({ "webhook_subscription": object }))
}

/// `PUT /webhook_subscriptions/{id}`. The delivery method cannot be changed.
pub(super) fn update(state: &mut State, request: &Request, id: &str) -> Result<Value, Refusal> {
    request.query(&[])?;
    let body = request.json()?;
    let wrapped = Object::of("the body", &body, &["webhook_subscription"])?.need("webhook_subscription")?;
    let changes =
        Object::of("webhook_subscription", wrapped, &["active", "description", "events", "filter"])?;
    let (active, description) = (changes.flag("active")?, changes.text("description")?);
    let (events, filter) = (events(&changes)?, changes.get("filter").map(filter).transpose()?);
    let subscription = state.subscription(id).ok_or_else(Refusal::not_found)?;
    subscription.active = active.unwrap_or(subscription.active);
    if let Some(description) = description {
        description.clone_into(&mut subscription.description);
    }
    if let Some(events) = events {
        subscription.events = events;
    }
    if let Some(filter) = filter {
        subscription.filter = filter;
    }
    Ok(json!({ "webhook_subscription": subscription.json(false) }))
}

fn events(object: &Object<'_>) -> Result<Option<Vec<String>>, Refusal> {
    let Some(events) = object.texts("events")? else { return Ok(None) };
    let unknown = events.iter().find(|event| !EVENTS.contains(event));
    if unknown.is_some() || events.is_empty() {
        return Err(Refusal::mistake(code::INVALID, format!("events has no known type, or has {unknown:?}")));
    }
    Ok(Some(events.into_iter().map(str::to_owned).collect()))
}

fn filter(value: &Value) -> Result<Filter, Refusal> {
    let wrong = |error: &str| Refusal::mistake(code::INVALID, error);
    let object = Object::of("filter", value, &["type", "id"])?;
    let kinds = ["account_reference", "service_reference", "team_reference"];
    let kind = object.choice("type", &kinds)?.ok_or_else(|| wrong("filter has no type"))?;
    let id = object.text("id")?.map(str::to_owned);
    if (kind == "account_reference") != id.is_none() {
        return Err(wrong("filter needs an id, except for the account"));
    }
    Ok(Filter { kind: kind.to_owned(), id })
}
