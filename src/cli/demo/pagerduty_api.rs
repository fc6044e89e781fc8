//! PagerDuty's REST API as far as the demo needs it: the webhook subscription, and the incidents that the webhooks of
//! the day tell of.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::DATE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::sources::pagerduty::own_subscription::wanted_events;

/// Id of the subscription.
pub(super) const SUBSCRIPTION: &str = "PDEMO01";

/// The running API. Clones are the same one.
#[derive(Clone)]
pub(super) struct PagerDutyApi {
    pub(super) address: SocketAddr,
    clock: Arc<ManualClock>,
    account: Arc<Mutex<Account>>,
}

#[derive(Default)]
struct Account {
    /// What the webhooks of each incident have told so far.
    incidents: BTreeMap<String, Incident>,
    /// Incidents whose webhooks were lost.
    lost: Vec<String>,
    is_disabled: bool,
    /// `true` once the daemon has asked for the open incidents.
    was_compared: bool,
}

#[derive(Default)]
struct Incident {
    /// The incident as in the last webhook.
    object: Value,
    log: Vec<Value>,
}

impl PagerDutyApi {
    /// Starts the API on a port of its own.
    pub(super) async fn start(clock: Arc<ManualClock>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let api = Self { address: listener.local_addr()?, clock, account: Arc::default() };
        let router = Router::new()
            .route("/webhook_subscriptions", get(subscriptions))
            .route("/webhook_subscriptions/{id}", get(subscription))
            .route("/webhook_subscriptions/{id}/enable", post(enable))
            .route("/log_entries", get(touched))
            .route("/incidents", get(open))
            .route("/incidents/{id}", get(incident))
            .route("/incidents/{id}/log_entries", get(log))
            .route("/incidents/{id}/notes", get(notes))
            .route("/incidents/{id}/related_change_events", get(related_changes))
            .layer(from_fn_with_state(api.clone(), with_date))
            .with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(api)
    }

    /// Notes what a webhook tells, whether it was delivered or lost.
    pub(super) fn happened(&self, webhook: &str, is_lost: bool) -> anyhow::Result<()> {
        let webhook: Value = serde_json::from_str(webhook)?;
        let event = &webhook["event"];
        let (Some(event_type), Some(id)) = (event["event_type"].as_str(), event["data"]["id"].as_str())
        else {
            return Ok(());
        };
        // Times in PagerDuty's answers are in whole seconds.
        let occurred_at = event["occurred_at"].as_str().and_then(|at| at.split(['.', 'Z']).next());
        let occurred_at = format!("{}Z", occurred_at.unwrap_or_default());
        let mut account = self.account();
        if is_lost && !account.lost.iter().any(|lost| lost == id) {
            account.lost.push(id.to_owned());
        }
        let incident = account.incidents.entry(id.to_owned()).or_default();
        if event["data"]["type"] == "incident" {
            incident.object = event["data"].clone();
            incident.object["incident_number"] = event["data"]["number"].clone();
            incident.object["custom_fields"] = json!([]);
            for time in ["updated_at", "last_status_change_at"] {
                incident.object[time] = json!(occurred_at);
            }
        }
        let kind = match event_type {
            "incident.triggered" => "trigger",
            "incident.acknowledged" => "acknowledge",
            "incident.resolved" => "resolve",
            _ => "annotate",
        };
        incident.log.insert(
            0,
            json!({
                "id": event["id"], "type": format!("{kind}_log_entry"), "created_at": occurred_at,
                "incident": {"id": id},
            }),
        );
        Ok(())
    }

    /// Disables the subscription, as PagerDuty does after three webhooks that it could not deliver.
    pub(super) fn disable(&self) {
        self.account().is_disabled = true;
    }

    pub(super) fn is_enabled(&self) -> bool {
        !self.account().is_disabled
    }

    /// `true` once the daemon has compared the incidents.
    pub(super) fn was_compared(&self) -> bool {
        self.account().was_compared
    }

    /// The account. A poisoned lock is no problem: the values are valid at every moment.
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part of an incident, or 404 as PagerDuty answers it.
    fn of(&self, id: &str, part: impl Fn(&Incident) -> Value) -> (StatusCode, Json<Value>) {
        let account = self.account();
        let Some(incident) = account.incidents.get(id).filter(|incident| incident.object.is_object()) else {
            let error = json!({"error": {"code": 2100, "message": "Not Found"}});
            return (StatusCode::NOT_FOUND, Json(error));
        };
        (StatusCode::OK, Json(part(incident)))
    }
}

/// Adds the demo's time, which the daemon compares with the times of incidents.
async fn with_date(State(api): State<PagerDutyApi>, request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let seconds = u64::try_from(api.clock.now().as_seconds()).unwrap_or_default();
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    if let Ok(date) = httpdate::fmt_http_date(now).parse() {
        response.headers_mut().insert(DATE, date);
    }
    response
}

/// The subscription of the demo.
fn own(api: &PagerDutyApi) -> Value {
    let path = Config::default().pagerduty.path;
    let events: Vec<&str> = wanted_events().collect();
    json!({
        "id": SUBSCRIPTION, "active": true, "description": "demo", "events": events,
        "filter": {"type": "account_reference"},
        "delivery_method": {
            "url": format!("https://dora.example.com{}", path.as_str()),
            "temporarily_disabled": !api.is_enabled(),
        },
    })
}

async fn subscriptions(State(api): State<PagerDutyApi>) -> Json<Value> {
    Json(json!({"webhook_subscriptions": [own(&api)], "more": false}))
}

async fn subscription(State(api): State<PagerDutyApi>) -> Json<Value> {
    Json(json!({"webhook_subscription": own(&api)}))
}

async fn enable(State(api): State<PagerDutyApi>) {
    api.account().is_disabled = false;
}

/// Only what the daemon has to find is listed.
async fn touched(State(api): State<PagerDutyApi>) -> Json<Value> {
    let entries: Vec<Value> = api.account().lost.iter().map(|id| json!({"incident": {"id": id}})).collect();
    Json(json!({"log_entries": entries, "more": false}))
}

async fn open(State(api): State<PagerDutyApi>) -> Json<Value> {
    api.account().was_compared = true;
    Json(json!({"incidents": [], "more": false}))
}

async fn incident(State(api): State<PagerDutyApi>, Path(id): Path<String>) -> (StatusCode, Json<Value>) {
    api.of(&id, |incident| json!({"incident": incident.object}))
}

async fn log(State(api): State<PagerDutyApi>, Path(id): Path<String>) -> (StatusCode, Json<Value>) {
    api.of(&id, |incident| json!({"log_entries": incident.log, "more": false}))
}

async fn notes(State(api): State<PagerDutyApi>, Path(id): Path<String>) -> (StatusCode, Json<Value>) {
    api.of(&id, |_| json!({"notes": []}))
}

async fn related_changes(
    State(api): State<PagerDutyApi>,
    Path(id): Path<String>,
) -> (StatusCode, Json<Value>) {
    api.of(&id, |_| json!({"change_events": []}))
}
