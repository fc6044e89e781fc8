//! One connection, served to its end.
//!
//! Built on hyper itself because `axum::serve` sets no timeout for a request's head.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::answer::CloseConnection;
use super::api_error::ApiError;
use super::progress::{Progress, TrackedBody};

/// A connection's read buffer. A head that does not fit is refused.
const BUFFER_BYTES: usize = 32 * 1024;
/// Bytes of the rest of a refused request that are read and thrown away.
const DISCARDED_BYTES: usize = 4 * 1024 * 1024;

/// The address that a request came from: the peer's, or a proxy's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Serves a connection until either side closes it or its time is up.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    progress: Arc<Progress>,
    mut stop: watch::Receiver<bool>,
) {
    let of_requests = Arc::clone(&progress);
    let service = service_fn(move |request| answer(request, peer, router.clone(), Arc::clone(&of_requests)));
    let mut http = http1::Builder::new();
    // The progress has its own times, which depend on what the connection has sent before.
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER_BYTES);
    // A sender may have said all that it will, and still read its answer.
    http.half_close(true);
    let stream = Stream { socket: stream, progress: Arc::clone(&progress), discarded: 0 };
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = until_due(connection.as_mut(), &progress) => served,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            until_due(connection.as_mut(), &progress).await
        }
    };
    if let Some(Err(error)) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ready once the order to stop has come.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to give the order: as good as given.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The connection's end; `None`: its time was up.
async fn until_due<C: Future>(mut connection: Pin<&mut C>, progress: &Progress) -> Option<C::Output> {
    let mut alarm = pin!(sleep_until(progress.due().unwrap_or_else(Instant::now)));
    poll_fn(|context| {
        if let Poll::Ready(served) = connection.as_mut().poll(context) {
            return Poll::Ready(Some(served));
        }
        loop {
            let Some(due) = progress.due() else { return Poll::Pending };
            // An alarm that is early is set anew when it rings: most requests come long before it.
            if due < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(due);
            }
            ready!(alarm.as_mut().poll(context));
            if due <= Instant::now() {
                return Poll::Ready(None);
            }
        }
    })
    .await
}

/// Answers one request. An error makes hyper close the connection without an answer.
async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    mut router: Router,
    progress: Arc<Progress>,
) -> Result<Response<Body>, Closed> {
    if !progress.request() {
        return Err(Closed);
    }
    let of_body = Arc::clone(&progress);
    let mut request = request.map(|body| Body::new(TrackedBody::new(body, of_body)));
    request.extensions_mut().insert(Peer(peer));
    let answered: Result<_, Infallible> = match one_host(&request) {
        Ok(()) => router.call(request).await,
        Err(detail) => {
            Ok(ApiError::new(StatusCode::BAD_REQUEST, "bad_request", detail).closing().into_response())
        }
    };
    let Ok(mut answer) = answered;
    if answer.extensions().get::<CloseConnection>().is_some() {
        return Err(Closed);
    }
    let closes = is_refusal(answer.status()) || answer.headers().contains_key(CONNECTION);
    if closes {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    progress.answered(answer.status().is_success(), closes);
    Ok(answer)
}

/// A request names the host that it is meant for exactly once (RFC 9112, 3.2): two let a proxy and this program read
/// two different ones.
fn one_host(request: &Request<Body>) -> Result<(), &'static str> {
    match request.headers().get_all(HOST).iter().count() {
        0 if request.version() >= Version::HTTP_11 => Err("The request has no Host header."),
        0 | 1 => Ok(()),
        _ => Err("The request has more than one Host header."),
    }
}

/// A refusal closes the connection: a peer that is not known cannot keep its place by sending another.
fn is_refusal(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404 | 405 | 413 | 415 | 421)
}

#[derive(Debug, thiserror::Error)]
#[error("the request was not complete in time")]
struct Closed;

/// The peer's bytes, with the progress told of them.
struct Stream {
    socket: TcpStream,
    progress: Arc<Progress>,
    discarded: usize,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.progress.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl Stream {
    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.progress.wrote();
        }
        written
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, bytes);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    /// Ends the answer. A connection that is closed with bytes unread is reset, and its peer may never see the answer:
    /// so what the peer still sends of a refused request is thrown away first.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
        let mut thrown_away = [0; 4 * 1024];
        while self.progress.closes() && self.discarded < DISCARDED_BYTES {
            let mut buffer = ReadBuf::new(&mut thrown_away);
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
            self.discarded += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
