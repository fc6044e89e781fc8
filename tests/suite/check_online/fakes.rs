//! Servers that `check` asks: Datadog, DevLake, a receiver of events, and servers that are none of these.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri};

/// Status, headers and body of an answer.
pub(super) type Answer = (u16, &'static [(&'static str, &'static str)], &'static str);

/// A page for people.
pub(super) const HTML: Answer =
    (200, &[("content-type", "text/html")], "<!doctype html><title>Log in</title>");
/// A page for people somewhere else.
pub(super) const REDIRECT: Answer = (302, &[("location", "https://login.example/?from=canary-2")], "");

pub(super) const API_KEY: &str = "canary-good-api-key";
pub(super) const APPLICATION_KEY: &str = "canary-good-application-key";
pub(super) const DEVLAKE_KEY: &str = "canary-good-devlake-key";

/// A server of HTTP that records method and address of each request.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(
        answer: impl Fn(&str, &HeaderMap) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let handler = async move |method: Method, uri: Uri, headers: HeaderMap| {
            let line = format!("{method} {uri}");
            let (status, extra, body) = answer(&line, &headers);
            seen.lock().unwrap().push(line);
            let mut answered = HeaderMap::new();
            for (name, value) in extra {
                answered.insert(*name, value.parse().unwrap());
            }
            (StatusCode::from_u16(status).unwrap(), answered, body)
        };
        let router = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, requests }
    }

    /// A server that gives each request the same answer.
    pub(super) async fn that_answers(answer: Answer) -> Self {
        Self::start(move |_, _| answer).await
    }

    /// Datadog's API, as far as it tests keys.
    pub(super) async fn datadog() -> Self {
        Self::start(|line, headers| {
            let has = |name: &str, key: &str| headers.get(name).is_some_and(|sent| sent == key);
            let forbidden = (403, &[][..], "{\"errors\":[\"Forbidden\"]}");
            match line {
                "GET /api/v1/validate" if has("dd-api-key", API_KEY) => (200, &[], "{\"valid\":true}"),
                "GET /api/v2/validate_keys"
                    if has("dd-api-key", API_KEY) && has("dd-application-key", APPLICATION_KEY) =>
                {
                    (200, &[], "{\"status\":\"ok\"}")
                }
                _ => forbidden,
            }
        })
        .await
    }

    /// A webhook connection of DevLake. It looks at the key first, and then takes only POST.
    pub(super) async fn devlake() -> Self {
        Self::start(|line, headers| {
            let good = format!("Bearer {DEVLAKE_KEY}");
            match headers.get("authorization") {
                None => (401, &[], "{\"success\":false,\"message\":\"token is missing\"}"),
                // The key of a connection is not good for the connection itself.
                Some(sent) if *sent == *good && !line.ends_with("/issues") => {
                    (403, &[], "{\"success\":false,\"message\":\"path doesn't match api key's scope\"}")
                }
                Some(sent) if *sent == *good => (404, &[], "404 page not found"),
                Some(_) => (403, &[], "{\"success\":false,\"message\":\"api key is invalid\"}"),
            }
        })
        .await
    }

    /// Method and address of each request so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A receiver that says nothing. It records the bytes of each connection once the other side has closed it.
pub(super) struct Receiving {
    pub(super) address: SocketAddr,
    connections: Receiver<Vec<u8>>,
}

impl Receiving {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, connections) = channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    let mut bytes = Vec::new();
                    let _ = stream.read_to_end(&mut bytes);
                    let _ = sender.send(bytes);
                });
            }
        });
        Self { address, connections }
    }

    /// Bytes of the next connection, which must come.
    pub(super) fn next(&self) -> Vec<u8> {
        self.connections.recv_timeout(crate::harness::PATIENCE).expect("no connection")
    }

    /// `true` if no connection has been closed since the last one that was returned.
    pub(super) fn is_quiet(&self) -> bool {
        self.connections.try_recv().is_err()
    }
}

/// An address at which nobody listens.
pub(super) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
