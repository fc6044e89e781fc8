//! The server of the REST API, on a port of its own.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Query;
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::faults::{Fault, Gate, RateLimit, limit_headers};
use super::rest::{self, Reply, Request, TOKEN};
use super::world::World;

/// A running PagerDuty. Its world may be changed at any time.
pub(crate) struct FakePagerDuty {
    pub(crate) address: SocketAddr,
    pub(crate) world: World,
    shared: Arc<Shared>,
}

struct Shared {
    world: World,
    gate: Mutex<Gate>,
    /// `true` once hanging requests may go on.
    released: watch::Sender<bool>,
    /// Number of requests so far.
    asked: watch::Sender<usize>,
}

impl FakePagerDuty {
    pub(crate) async fn start(world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (gate, released, asked) = (Mutex::default(), watch::Sender::new(false), watch::Sender::new(0));
        let shared = Arc::new(Shared { world: world.clone(), gate, released, asked });
        let of_server = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&of_server)));
            }
        });
        Self { address, world, shared }
    }

    /// The address for `url` of `[pagerduty.api]`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The section `[pagerduty.api]` of a daemon that uses it.
    pub(crate) fn section(&self) -> String {
        format!("[pagerduty.api]\nurl = \"{}\"\ntoken = {{ value = \"{TOKEN}\" }}\n", self.url())
    }

    /// Method and address of each request so far, whatever its answer.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.gate().requests.clone()
    }

    /// Waits until this many requests have come.
    pub(crate) async fn until_asked(&self, requests: usize) {
        self.shared.asked.subscribe().wait_for(|asked| *asked >= requests).await.unwrap();
    }

    /// The requests so far that no correct client sends, each with the reason.
    pub(crate) fn refusals(&self) -> Vec<String> {
        self.shared.gate().refusals.clone()
    }

    /// Lets something go wrong with the request of this number. The first request has the number 1.
    pub(crate) fn fail_request(&self, number: usize, fault: Fault) {
        self.shared.gate().faults.insert(number, fault);
    }

    /// Lets something go wrong with the next request.
    pub(crate) fn fail_next(&self, fault: Fault) {
        let next = self.shared.gate().requests.len() + 1;
        self.fail_request(next, fault);
    }

    /// Lets something go wrong with each request whose address contains this text. `None` ends that.
    pub(crate) fn fail_each(&self, fault: Option<(&str, Fault)>) {
        self.shared.gate().fault_of_address = fault.map(|(part, fault)| (part.to_owned(), fault));
    }

    /// Begins to answer 429 to requests beyond this limit. `None` lifts the limit.
    pub(crate) fn set_limit(&self, limit: Option<RateLimit>) {
        let mut gate = self.shared.gate();
        (gate.limit, gate.used) = (limit, 0);
    }

    /// Begins the next minute of the limit.
    pub(crate) fn begin_minute(&self) {
        self.shared.gate().used = 0;
    }

    /// Answers the requests that hang, and lets no later one hang.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

impl Shared {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap()
    }

    /// Status and body of the answer to a request.
    async fn answer(&self, line: &str, request: &Request) -> (u16, Option<Value>) {
        let answer = rest::answer(&mut self.world.lock(), request);
        match answer {
            Ok(Reply { status, body, ping }) => {
                if let Some(subscription) = ping {
                    self.world.ping(&subscription).await;
                }
                (status, body)
            }
            Err(refusal) => {
                if refusal.is_mistake {
                    self.gate().refusals.push(format!("{line}: {}", refusal.errors.join(", ")));
                }
                (refusal.status, Some(refusal.json()))
            }
        }
    }
}

/// Serves one connection. The second handle on its socket can reset it.
async fn serve(stream: tokio::net::TcpStream, shared: Arc<Shared>) {
    let stream = stream.into_std().unwrap();
    let socket = Arc::new(stream.try_clone().unwrap());
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    let service = service_fn(move |request| respond(request, Arc::clone(&shared), Arc::clone(&socket)));
    // An error here is a fault that the test wants, or a client that has left.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Answers one request. An error ends the connection without an answer.
async fn respond(
    request: hyper::Request<Incoming>,
    shared: Arc<Shared>,
    socket: Arc<TcpStream>,
) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let line = format!("{} {}", parts.method, parts.uri);
    let mut decision = shared.gate().enter(&line);
    shared.asked.send_modify(|asked| *asked += 1);
    let (status, json) = match decision.fault {
        Some(Fault::Resets) => {
            // With a linger of zero, closing resets the connection.
            SockRef::from(&*socket).set_linger(Some(Duration::ZERO))?;
            return Err(io::Error::other("the test wants a reset"));
        }
        Some(Fault::Fails(status)) => (status, Some(error(2000, "Internal Server Error"))),
        Some(Fault::TooManyRequests { reset_seconds }) => {
            if decision.headers.is_empty() {
                decision.headers = limit_headers(960, 0, reset_seconds);
            }
            (429, Some(error(2020, "Rate Limit Exceeded")))
        }
        Some(Fault::Hangs | Fault::HalfBody) | None => {
            if decision.fault == Some(Fault::Hangs) {
                let mut released = shared.released.subscribe();
                released.wait_for(|is_released| *is_released).await.map_err(io::Error::other)?;
            }
            let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(io::Error::other)?;
            let path = parts.uri.path().to_owned();
            let request =
                Request { method: parts.method, path, query: query.0, headers: parts.headers, body };
            shared.answer(&line, &request).await
        }
    };
    let mut response = response(status, json.as_ref(), decision.fault == Some(Fault::HalfBody));
    let now = shared.world.now().as_seconds().cast_unsigned();
    let now = std::time::UNIX_EPOCH + Duration::from_secs(now);
    let date = httpdate::fmt_http_date(now).parse().map_err(io::Error::other)?;
    response.headers_mut().insert("date", date);
    for (name, value) in decision.headers {
        response.headers_mut().insert(name, value.parse().map_err(io::Error::other)?);
    }
    Ok(response)
}

fn error(code: u32, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "errors": [] } })
}

fn response(status: u16, json: Option<&Value>, is_half: bool) -> Response<Body> {
    let text = Bytes::from(json.map(Value::to_string).unwrap_or_default());
    let mut response = if is_half {
        let length = HeaderValue::from(text.len());
        let mut response = Response::new(Body::new(HalfBody::of(&text)));
        response.headers_mut().insert("content-length", length);
        response
    } else {
        Response::new(Body::from(text))
    };
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// A body that breaks off.
pub(crate) struct HalfBody {
    first_half: Option<Bytes>,
    is_flushed: bool,
}

impl HalfBody {
    pub(crate) fn of(text: &Bytes) -> Self {
        Self { first_half: Some(text.slice(..text.len() / 2)), is_flushed: false }
    }
}

impl hyper::body::Body for HalfBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(half) = self.first_half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.is_flushed {
            // The server sends what it has while the body is not ready.
            self.is_flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("the test wants half a body"))))
    }
}
