//! A server on loopback that answers as a test says, and keeps the requests.

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

/// A request that the server got.
#[derive(Clone)]
pub(super) struct Seen {
    /// Method and path.
    pub(super) line: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(super) fn offset(&self) -> usize {
        self.query["offset"].parse().unwrap()
    }
}

pub(super) struct Reply {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
}

impl Reply {
    pub(super) fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub(super) fn json(body: &Value) -> Self {
        Self::text(200, body.to_string())
    }

    /// An error in PagerDuty's form.
    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::text(status, json!({"error": {"code": 2100, "message": message}}).to_string())
    }

    pub(super) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// A server that answers each request by its number, from 0, and its content.
    pub(super) async fn start(reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (kept, reply) = (Arc::clone(&seen), Arc::new(reply));
        let router = Router::new().fallback(move |request: Request| {
            let (kept, reply) = (Arc::clone(&kept), Arc::clone(&reply));
            async move {
                let request = read(request).await;
                let mut kept = kept.lock().unwrap();
                let reply = reply(kept.len(), &request);
                kept.push(request);
                let builder = Response::builder().status(reply.status);
                let headers = reply.headers.into_iter();
                let builder = headers.fold(builder, |builder, (name, value)| builder.header(name, value));
                builder.body(Body::from(reply.body)).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { url, seen }
    }

    /// A server that gives these answers in turn, and the last one again and again.
    pub(super) async fn in_turn(replies: Vec<fn() -> Reply>) -> Self {
        Self::start(move |number, _| replies[number.min(replies.len() - 1)]()).await
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read(request: Request) -> Seen {
    let (head, body) = request.into_parts();
    let url = reqwest::Url::parse(&format!("http://host{}", head.uri)).unwrap();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Seen {
        line: format!("{} {}", head.method, url.path()),
        query: url.query_pairs().into_owned().collect(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}
