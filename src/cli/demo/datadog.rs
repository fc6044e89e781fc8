//! Datadog as far as the demo needs it: an intake of events, and an API that takes marks of deployments. It keeps what it
//! was told, and computes nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Configuration of the two backends at this address.
pub(super) fn entries(datadog: SocketAddr, key_file: &str) -> String {
    format!(
        "[[backend]]\nname = \"marks\"\nkind = \"datadog\"\nurl = \"http://{datadog}\"\nfailures = false\n\
         deployments = true\nchange_failures = true\napi_key = {{ file = {key_file:?} }}\n\
         application_key = {{ file = {key_file:?} }}\n\
         [[backend]]\nname = \"events\"\nkind = \"datadog-events\"\nurl = \"http://{datadog}\"\nopen = true\n\
         api_key = {{ file = {key_file:?} }}\n"
    )
}

/// The running fake. Clones are the same one.
#[derive(Clone)]
pub(super) struct Datadog {
    pub(super) address: SocketAddr,
    told: Arc<Mutex<Told>>,
}

/// Everything that it was told.
#[derive(Default)]
struct Told {
    /// Attributes of each event.
    events: Vec<Value>,
    /// Id of a deployment, and the attributes of its mark.
    marks: Vec<(String, Value)>,
}

impl Datadog {
    /// Starts it on a port of its own.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let datadog = Self { address: listener.local_addr()?, told: Arc::default() };
        let router = Router::new()
            .route("/api/v2/events", post(take_event))
            .route("/api/v2/dora/deployment", post(take_deployment))
            .route("/api/v2/dora/deployments/{id}", patch(take_mark))
            .with_state(datadog.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(datadog)
    }

    /// The states of a failure in its events, in the order of their revisions.
    pub(super) fn events_of(&self, failure: &str) -> Vec<String> {
        let told = self.told();
        let of_failure = told.events.iter().filter(|event| event["aggregation_key"] == failure);
        let mut states: Vec<(i64, &str)> = of_failure
            .map(|event| {
                let inner = &event["attributes"];
                let revision = inner["custom"]["dora"]["revision"].as_i64().unwrap_or_default();
                (revision, inner["status"].as_str().unwrap_or_default())
            })
            .collect();
        states.sort_unstable();
        states.into_iter().map(|(_, status)| status.to_owned()).collect()
    }

    /// The last mark of a deployment: `change_failure`.
    pub(super) fn mark_of(&self, deployment: &str) -> anyhow::Result<bool> {
        let told = self.told();
        let mark = told.marks.iter().rev().find(|(id, _)| id == deployment);
        let (_, mark) = mark.context("the deployment has no mark")?;
        mark["change_failure"].as_bool().context("the mark says nothing")
    }

    /// A poisoned lock is no problem: the values are valid at every moment.
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take_event(State(datadog): State<Datadog>, Json(event): Json<Value>) -> (StatusCode, Json<Value>) {
    datadog.told().events.push(event["data"]["attributes"].clone());
    (StatusCode::ACCEPTED, Json(json!({})))
}

async fn take_deployment() -> (StatusCode, Json<Value>) {
    (StatusCode::ACCEPTED, Json(json!({})))
}

async fn take_mark(
    State(datadog): State<Datadog>,
    Path(id): Path<String>,
    Json(mark): Json<Value>,
) -> StatusCode {
    datadog.told().marks.push((id, mark["data"]["attributes"].clone()));
    StatusCode::ACCEPTED
}
