//! Connections: accepted, timed, limited, and drained at the end.
//!
//! Built on hyper itself because `axum::serve` sets no timeout for a request's head.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower_service::Service;

use super::answer::CloseConnection;

/// A connection's read buffer. A head that does not fit is refused.
const BUFFER_BYTES: usize = 32 * 1024;
/// How long an answer may lie unread.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to let things settle where a connection cannot be accepted (out of file descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener puts up with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a request's head may take, and how long a connection may idle.
    pub head: Duration,
    /// How many connections at once; more wait to be accepted.
    pub connections: usize,
    /// How long requests in hand may take after the order to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(5), connections: 1_024, drain: Duration::from_secs(10) }
    }
}

/// Serves until `stop` is set, then lets the requests in hand finish.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &room) => accepted,
        };
        let (stream, place) = accepted;
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            connection(stream, router, limits.head, stop).await;
            drop(place);
        });
    }
    drop(listener);
    let all_done = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, all_done).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    let place = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and complete: waiting for more of them gains nothing.
                let _ = stream.set_nodelay(true);
                // A peer that does not read its answers is cut off, and does not keep its place for ever.
                let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_TIMEOUT));
                return (stream, place);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, head: Duration, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move { unless_closed(router.call(request.map(Body::new)).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(BUFFER_BYTES);
    // A sender may have said all that it will, and still read its answer.
    http.half_close(true);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ready once the order to stop has come.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to give the order: as good as given.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The handler's answer, or an error, which makes hyper close the connection without one.
fn unless_closed(answer: Result<Response<Body>, Infallible>) -> Result<Response<Body>, Closed> {
    let Ok(answer) = answer;
    match answer.extensions().get::<CloseConnection>() {
        Some(_) => Err(Closed),
        None => Ok(answer),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the request was not complete in time")]
struct Closed;
