//! The REST API (PagerDuty: REST API v2), as far as reconciliation and the care of subscriptions need it. It refuses
//! what PagerDuty's description of the API does not allow.

mod analytics;
mod body;
mod incidents;
mod log;
mod page;
mod request;
mod subscriptions;

use serde_json::Value;

pub(crate) use self::request::TOKEN;
use self::request::code;
pub(super) use self::request::{Refusal, Request};
use super::state::State;

/// An answer 2xx.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    /// Id of a subscription that gets a ping before the answer is sent.
    pub(super) ping: Option<String>,
}

impl Reply {
    fn with(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), ping: None }
    }
}

/// Answers a request by the present state.
pub(super) fn answer(state: &mut State, request: &Request) -> Result<Reply, Refusal> {
    request.check_headers()?;
    let path: Vec<&str> = request.path.split('/').skip(1).collect();
    let is_change = request.method != "GET" && path[0] == "webhook_subscriptions";
    if state.is_read_only && is_change {
        return Err(Refusal::correct(403, code::FORBIDDEN, "Access Denied"));
    }
    let ok = |body: Value| Reply::with(200, body);
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["incidents"]) => incidents::list(state, request).map(ok),
        ("GET", ["incidents", id]) => incidents::get(state, request, id).map(ok),
        ("GET", ["incidents", id, "log_entries"]) => log::of_incident(state, request, id).map(ok),
        ("GET", ["incidents", id, "notes"]) => incidents::notes(state, request, id).map(ok),
        ("GET", ["incidents", id, "related_change_events"]) => {
            incidents::related_changes(state, request, id).map(ok)
        }
        ("GET", ["log_entries"]) => log::of_all(state, request).map(ok),
        ("POST", ["analytics", "raw", "incidents"]) => analytics::raw_incidents(state, request).map(ok),
        ("GET", ["webhook_subscriptions"]) => subscriptions::list(state, request).map(ok),
        ("GET", ["webhook_subscriptions", id]) => subscriptions::get(state, request, id).map(ok),
        ("POST", ["webhook_subscriptions"]) => {
            subscriptions::create(state, request).map(|body| Reply::with(201, body))
        }
        ("PUT", ["webhook_subscriptions", id]) => subscriptions::update(state, request, id).map(ok),
        ("POST", ["webhook_subscriptions", id, "enable"]) => {
            request.query(&[])?;
            state.subscription(id).ok_or_else(Refusal::not_found)?.enable();
            Ok(Reply { status: 200, body: None, ping: None })
        }
        ("POST", ["webhook_subscriptions", id, "ping"]) => {
            request.query(&[])?;
            state.subscription(id).ok_or_else(Refusal::not_found)?;
            Ok(Reply { status: 202, body: None, ping: Some((*id).to_owned()) })
        }
        _ => Err(Refusal::no_such_path(request)),
    }
}
