//! A fake of the lists of Datadog's DORA API: at most 1,000 records in an answer, and no cursor.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{KEY, time};

/// What it holds, and what it was asked.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) failures: Vec<Value>,
    pub(crate) deployments: Vec<Value>,
    /// Statuses of the next answers. After them it answers with lists.
    pub(crate) script: VecDeque<u16>,
    /// Number of lists that were asked for.
    pub(crate) asked: usize,
}

pub(crate) struct FakeDatadog {
    address: SocketAddr,
    held: Arc<Mutex<Held>>,
}

/// A failure that it holds.
pub(crate) fn failure(id: &str, started: &str, finished: Option<&str>) -> Value {
    let attributes = json!({
        "services": ["shopist"], "team": "backend", "env": "production", "name": "Webserver is down",
        "severity": "High", "started_at": started, "finished_at": finished, "custom_tags": ["tier:1"],
    });
    json!({ "id": id, "type": "dora_failure", "attributes": attributes })
}

/// A deployment that it holds.
pub(crate) fn deployment(id: &str, started: &str, version: &str) -> Value {
    let attributes = json!({
        "service": "shopist", "env": "production", "version": version, "started_at": started, "finished_at": started,
        "git": { "commit_sha": "66adc9350f2cc9b250b69abddab733dd55e1a588", "repository_id": "github.com/o/r" },
    });
    json!({ "id": id, "type": "dora_deployment", "attributes": attributes })
}

impl FakeDatadog {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, held) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Held::default())));
        let router = Router::new().route("/api/v2/dora/{kind}", post(list)).with_state(Arc::clone(&held));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, held }
    }

    /// Changes what it holds, or asks about it.
    pub(crate) fn held<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.held.lock().unwrap())
    }

    /// The `[[backend]]` entry for it. It is told of everything that it may be told of.
    pub(crate) fn entry(&self, name: &str) -> String {
        format!(
            "[[backend]]\nname = \"{name}\"\nkind = \"datadog\"\nurl = \"http://{}\"\napi_key = {{ value = \"{KEY}\" }}\n\
             application_key = {{ value = \"{KEY}-2\" }}\ndeployments = true\nchange_failures = true\n",
            self.address
        )
    }
}

async fn list(
    State(held): State<Arc<Mutex<Held>>>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, HeaderMap, Json<Value>) {
    let mut held = held.lock().unwrap();
    held.asked += 1;
    let refuse = |status: StatusCode| (status, reset(), Json(json!({ "errors": [status.as_str()] })));
    let has = |name: &str, key: &str| headers.get(name).is_some_and(|value| value == key);
    if !has("dd-api-key", KEY) || !has("dd-application-key", &format!("{KEY}-2")) {
        return refuse(StatusCode::FORBIDDEN);
    }
    if let Some(status) = held.script.pop_front().filter(|status| *status != 200) {
        return refuse(StatusCode::from_u16(status).unwrap());
    }
    let (records, expected) = match kind.as_str() {
        "failures" => (&held.failures, "dora_failures_list_request"),
        "deployments" => (&held.deployments, "dora_deployments_list_request"),
        _ => return refuse(StatusCode::NOT_FOUND),
    };
    let attributes = &body["data"]["attributes"];
    let bound = |key: &str| time(attributes[key].as_str().unwrap());
    let limit = usize::try_from(attributes["limit"].as_u64().unwrap()).unwrap();
    if body["data"]["type"] != expected || limit > 1_000 {
        return refuse(StatusCode::BAD_REQUEST);
    }
    let is_within = |record: &&Value| {
        let started_at = time(record["attributes"]["started_at"].as_str().unwrap());
        (bound("from")..=bound("to")).contains(&started_at)
    };
    let listed: Vec<Value> = records.iter().filter(is_within).take(limit).cloned().collect();
    (StatusCode::OK, HeaderMap::new(), Json(json!({ "data": listed })))
}

/// Headers of a refusal: who may try again need not wait.
fn reset() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-ratelimit-reset", "0".parse().unwrap());
    headers
}
