//! A backend that answers when the test says so.

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::harness::PATIENCE;

pub(super) struct HoldingBackend {
    /// Its part of a daemon's configuration.
    pub(super) entry: String,
    received: UnboundedReceiver<Held>,
}

/// A request. It gets no answer if this is dropped.
pub(super) struct Held {
    body: Value,
    answer: oneshot::Sender<()>,
}

impl HoldingBackend {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, received) = mpsc::unbounded_channel();
        let router = axum::Router::new().fallback(Self::hold).with_state(tell);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        // No attempt ends within the test by itself, so a second request of a revision is not a retry.
        let entry = format!(
            "[[backend]]\nname = \"metrics\"\nkind = \"datadog\"\nurl = \"http://{address}\"\napi_key = {{ value = \"0\" }}
            timeout = \"60s\"\n"
        );
        Self { entry, received }
    }

    async fn hold(tell: axum::extract::State<UnboundedSender<Held>>, body: Bytes) {
        let (answer, answered) = oneshot::channel();
        let _ = tell.send(Held { body: serde_json::from_slice(&body).unwrap(), answer });
        if answered.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for a request.
    pub(super) async fn next(&mut self) -> Held {
        tokio::time::timeout(PATIENCE, self.received.recv()).await.expect("no request").unwrap()
    }

    /// Number of requests that have come since the last one.
    pub(super) fn others(&self) -> usize {
        self.received.len()
    }
}

impl Held {
    /// The failure that it is about.
    pub(super) fn failure(&self) -> &str {
        self.body["data"]["attributes"]["id"].as_str().unwrap()
    }

    /// `true` if it says that the failure has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.body["data"]["attributes"]["finished_at"].is_i64()
    }

    /// Accepts it.
    pub(super) fn accept(self) {
        self.answer.send(()).unwrap();
    }
}
