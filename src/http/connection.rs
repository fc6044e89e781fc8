//! Serving of one connection, to its end.
//!
//! Built on hyper itself because `axum::serve` sets no timeout for a request's head.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower_service::Service;

use super::answer::CloseConnection;
use super::api_error::ApiError;
use super::listener_service::{CurrentRoutes, ListenerService};
use super::progress::{Progress, TrackedBody};
use crate::log_limit::LogLimit;
use crate::telemetry::connections::ConnectionRefusal;

/// Size of a connection's read buffer. A head that does not fit is refused.
const BUFFER_BYTES: usize = 32 * 1024;
/// Maximum number of bytes of a refused request that are read and discarded after the answer.
const DISCARDED_BYTES: usize = 4 * 1024 * 1024;

/// Address that a request came from: the sender's or a proxy's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Serves a connection until either side closes it or its time is up.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    service: ListenerService,
    progress: Arc<Progress>,
    mut stop: watch::Receiver<bool>,
    log_limits: Arc<ConnectionLogLimits>,
) {
    let ListenerService { routes, tls, refused } = service;
    let tls = tls.borrow().clone();
    let is_plain = tls.is_none();
    let mut opened = pin!(Socket::open(stream, tls));
    let socket = tokio::select! {
        socket = until_deadline(opened.as_mut(), &progress) => socket,
        () = must_close(&mut stop, &progress) => return,
    };
    let socket = match socket {
        Some(Ok(socket)) => socket,
        // A load balancer may check the port by a connection without a byte.
        Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return,
        Some(Err(error)) => {
            refused.count(ConnectionRefusal::Tls);
            log_limits.warn_of_handshake(peer, &error);
            return;
        }
        None => return refused.count(ConnectionRefusal::Tls),
    };
    let of_requests = Arc::clone(&progress);
    let service = service_fn(move |request| answer(request, peer, routes.clone(), Arc::clone(&of_requests)));
    let mut http = http1::Builder::new();
    // `Progress` has its own time limits, which depend on earlier requests of the connection.
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER_BYTES);
    // A sender may close its side after the request and still read the answer.
    http.half_close(true);
    let stream = Stream { socket, progress: Arc::clone(&progress), discarded: 0 };
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = until_deadline(connection.as_mut(), &progress) => served,
        () = must_close(&mut stop, &progress) => {
            connection.as_mut().graceful_shutdown();
            until_deadline(connection.as_mut(), &progress).await
        }
    };
    match served {
        Some(Err(error)) if error.is_parse() => log_limits.warn_of_no_http(peer, &error, is_plain),
        Some(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Some(Ok(())) | None => {}
    }
}

/// Limits of the log lines about connections that did not get so far as a request.
#[derive(Default)]
pub(super) struct ConnectionLogLimits {
    no_http: LogLimit,
    handshake: LogLimit,
}

impl ConnectionLogLimits {
    fn warn_of_no_http(&self, peer: SocketAddr, error: &hyper::Error, is_plain: bool) {
        let Some(held_back) = self.no_http.pass(std::time::Instant::now()) else { return };
        let hint = if is_plain {
            ". This port takes plain HTTP without TLS: if a proxy connects here, let it use http://, not https://"
        } else {
            ""
        };
        tracing::warn!(%peer, %error, held_back, "a request was refused, because it is not HTTP{hint}");
    }

    fn warn_of_handshake(&self, peer: SocketAddr, error: &io::Error) {
        let Some(held_back) = self.handshake.pass(std::time::Instant::now()) else { return };
        tracing::warn!(
            %peer, %error, held_back,
            "a TLS handshake failed. If the peer is PagerDuty, its webhooks are lost unless only the certificate has \
             expired: check the certificate, its chain, and server.tls.client_ca and client_names if they are set"
        );
    }
}

/// Waits until the program stops and no first request is on its way.
async fn must_close(stop: &mut watch::Receiver<bool>, progress: &Progress) {
    stopped(stop).await;
    progress.first_request().await;
}

/// Waits for the signal to stop.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender of the signal is gone. This counts as the signal, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Serves the connection to its end. `None` if its deadline passed first.
async fn until_deadline<C: Future>(mut connection: Pin<&mut C>, progress: &Progress) -> Option<C::Output> {
    let mut alarm = pin!(sleep_until(progress.deadline().unwrap_or_else(Instant::now)));
    poll_fn(|context| {
        if let Poll::Ready(served) = connection.as_mut().poll(context) {
            return Poll::Ready(Some(served));
        }
        loop {
            let Some(due) = progress.deadline() else { return Poll::Pending };
            // The alarm moves to a later time only when it rings, because most requests end long before.
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
    routes: CurrentRoutes,
    progress: Arc<Progress>,
) -> Result<Response<Body>, Closed> {
    if !progress.request() {
        return Err(Closed);
    }
    let of_body = Arc::clone(&progress);
    let mut request = request.map(|body| Body::new(TrackedBody::new(body, of_body)));
    request.extensions_mut().insert(Peer(peer));
    let answered: Result<_, Infallible> = match one_host(&request) {
        Ok(()) => {
            let mut present = routes.borrow().clone();
            present.call(request).await
        }
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

/// Checks that a request has exactly one `Host` (RFC 9112, 3.2). With two, a proxy and this program could each use a
/// different one.
fn one_host(request: &Request<Body>) -> Result<(), &'static str> {
    match request.headers().get_all(HOST).iter().count() {
        0 if request.version() >= Version::HTTP_11 => Err("The request has no Host header."),
        0 | 1 => Ok(()),
        _ => Err("The request has more than one Host header."),
    }
}

/// `true` for a status that closes the connection. An unknown peer cannot keep a connection by sending bad requests.
fn is_refusal(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404 | 405 | 413 | 415 | 421)
}

#[derive(Debug, thiserror::Error)]
#[error("the request was not complete in time")]
struct Closed;

/// Connection with or without TLS.
enum Socket {
    Plain(TcpStream),
    // Boxed, because it is ten times as large.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Does the handshake if there is TLS.
    async fn open(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        match tls {
            None => Ok(Self::Plain(stream)),
            Some(config) => Ok(Self::Tls(Box::new(TlsAcceptor::from(config).accept(stream).await?))),
        }
    }

    /// The reading and writing side.
    fn io(&mut self) -> Pin<&mut dyn SocketIo> {
        match self {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }
}

trait SocketIo: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> SocketIo for T {}

/// Socket that reports reads and writes to the progress.
struct Stream {
    socket: Socket,
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
        ready!(self.socket.io().poll_read(context, buffer))?;
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
        let written = self.socket.io().poll_write(context, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.socket.io().poll_write_vectored(context, bytes);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(stream) => stream.is_write_vectored(),
            Socket::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.io().poll_flush(context)
    }

    /// Ends the answer, then reads and discards the rest of a refused request. A connection that is closed with unread
    /// bytes is reset, and its peer may never see the answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.socket.io().poll_shutdown(context))?;
        let mut unread = [0; 4 * 1024];
        while self.progress.begin_closing() && self.discarded < DISCARDED_BYTES {
            let mut buffer = ReadBuf::new(&mut unread);
            ready!(self.socket.io().poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
            self.discarded += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
