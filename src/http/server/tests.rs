//! A listener with small limits, over raw sockets.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::*;
use crate::telemetry::connections::{Connections, Listener};

/// Time that a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    /// Senders that end the wait of a request to `/wait`.
    waiting: mpsc::Receiver<tokio::sync::oneshot::Sender<()>>,
    stop: watch::Sender<bool>,
}

/// Reads the body as the webhook handler does, and accepts it.
async fn accept(request: Request) -> StatusCode {
    match axum::body::to_bytes(request.into_body(), 1_000).await {
        Ok(_) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
    }
}

async fn served(connections: usize, head: Duration) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, waiting) = mpsc::channel(1);
    let wait = async move || {
        let (go_on, receiver) = tokio::sync::oneshot::channel();
        sender.send(go_on).await.unwrap();
        receiver.await.unwrap();
        StatusCode::ACCEPTED
    };
    let router = Router::new().route("/accept", post(accept)).route("/wait", get(wait));
    let (stop, stopped) = watch::channel(false);
    let limits = Limits { head, connections, drain: PATIENCE };
    let service = ListenerService {
        routes: watch::channel(router).1,
        tls: watch::channel(None).1,
        refused: Connections::default().of(Listener::Public),
    };
    tokio::spawn(serve(listener, service, limits, stopped));
    Served { address, waiting, stop }
}

impl Served {
    /// Opens a connection and sends `bytes`.
    async fn sends(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }
}

const ACCEPTED: &str = "POST /accept HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
const HALF_HEAD: &str = "POST /accept HTTP/1.1\r\nhost: x\r\n";
const HALF_BODY: &str = "POST /accept HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";

/// Reads one answer's head, and the bytes that came with it.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    while !text.contains("\r\n\r\n") {
        let mut bytes = [0; 1_024];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.expect("no answer").unwrap();
        assert_ne!(read, 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    text
}

/// Reads until the connection is closed.
async fn to_the_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset also ends the connection.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("never closed");
    String::from_utf8(bytes).unwrap()
}

fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [0];
    stream.try_read(&mut byte).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn at_the_limit_a_new_connection_is_served_and_another_gives_way() {
    for hostile in ["", HALF_HEAD, HALF_BODY] {
        let served = served(8, PATIENCE).await;
        let mut trusted = served.sends(ACCEPTED).await;
        assert!(answer(&mut trusted).await.starts_with("HTTP/1.1 202"));
        let mut held = Vec::new();
        for _ in 0..7 {
            held.push(served.sends(hostile).await);
        }
        let mut new = Vec::new();
        for _ in 0..7 {
            new.push(served.sends(ACCEPTED).await);
            assert!(answer(new.last_mut().unwrap()).await.starts_with("HTTP/1.1 202"), "{hostile:?}");
        }
        for stream in &mut held {
            assert_eq!(to_the_end(stream).await, "", "{hostile:?}");
        }
        trusted.write_all(ACCEPTED.as_bytes()).await.unwrap();
        assert!(
            answer(&mut trusted).await.starts_with("HTTP/1.1 202"),
            "a trusted connection gives way last"
        );
    }
}

#[tokio::test]
async fn a_newcomer_outlasts_older_connections() {
    let served = served(4, PATIENCE).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(served.sends(HALF_BODY).await);
    }
    let mut newcomer = served.sends(HALF_HEAD).await;
    // Each takes the place of a connection that is older than the newcomer.
    let mut later = Vec::new();
    for _ in 0..3 {
        later.push(served.sends(HALF_HEAD).await);
    }
    for stream in &mut held {
        assert_eq!(to_the_end(stream).await, "");
    }
    newcomer.write_all(b"content-length: 2\r\n\r\n{}").await.unwrap();
    assert!(answer(&mut newcomer).await.starts_with("HTTP/1.1 202"));
}

#[tokio::test]
async fn a_request_that_is_being_answered_does_not_give_way() {
    let mut served = served(1, PATIENCE).await;
    let mut waiting = served.sends("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let go_on = served.waiting.recv().await.unwrap();
    let mut other = served.sends(ACCEPTED).await;
    go_on.send(()).unwrap();
    assert!(answer(&mut waiting).await.starts_with("HTTP/1.1 202"));
    assert!(answer(&mut other).await.starts_with("HTTP/1.1 202"), "served once there is room");
}

#[tokio::test]
async fn a_trusted_connection_may_idle_longer_than_others() {
    let served = served(8, Duration::from_millis(100)).await;
    let mut trusted = served.sends(ACCEPTED).await;
    answer(&mut trusted).await;
    for hostile in ["", HALF_HEAD] {
        assert_eq!(to_the_end(&mut served.sends(hostile).await).await, "");
    }
    assert!(is_open(&trusted), "it has idled longer than those");
    trusted.write_all(ACCEPTED.as_bytes()).await.unwrap();
    assert!(answer(&mut trusted).await.starts_with("HTTP/1.1 202"));
    trusted.write_all(HALF_HEAD.as_bytes()).await.unwrap();
    assert_eq!(to_the_end(&mut trusted).await, "", "half a head gets no extra time");
}

#[tokio::test]
async fn a_refusal_closes_the_connection_and_is_read_whole() {
    let served = served(8, PATIENCE).await;
    let large = "x".repeat(2 * 1024 * 1024);
    let nothing =
        format!("POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{large}", large.len());
    for (request, status) in [
        ("GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n", "404"),
        ("GET /accept HTTP/1.1\r\nhost: x\r\n\r\n", "405"),
        (nothing.as_str(), "404"),
    ] {
        let mut stream = served.sends(request).await;
        let answer = to_the_end(&mut stream).await.to_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{answer:?}");
        assert!(answer.contains("connection: close"), "{answer:?}");
    }
    // Also where the request before was accepted.
    let both = format!("{ACCEPTED}GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n");
    let answers = to_the_end(&mut served.sends(&both).await).await;
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 2, "{answers:?}");
}

#[tokio::test]
async fn a_request_must_have_exactly_one_host() {
    let served = served(8, PATIENCE).await;
    for hosts in ["", "host: x\r\nhost: x\r\n", "host: x\r\nHost: y\r\n"] {
        let request = format!("POST /accept HTTP/1.1\r\n{hosts}content-length: 2\r\n\r\n{{}}");
        let answer = to_the_end(&mut served.sends(&request).await).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("Host header"), "{answer:?}");
    }
    let old =
        to_the_end(&mut served.sends("POST /accept HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}").await).await;
    assert!(old.starts_with("HTTP/1.0 202"), "{old:?}");
}

#[tokio::test]
async fn a_connection_may_send_its_first_request_after_the_order_to_stop() {
    let served = served(8, PATIENCE).await;
    let (mut new, mut half) = (served.sends("").await, served.sends(HALF_HEAD).await);
    let mut used = served.sends(ACCEPTED).await;
    // Connections are accepted in order, so the two before have been accepted, too.
    assert!(answer(&mut used).await.starts_with("HTTP/1.1 202"));
    served.stop.send_replace(true);
    assert_eq!(to_the_end(&mut used).await, "", "an idle connection is closed");
    half.write_all(b"content-length: 2\r\n\r\n{}").await.unwrap();
    assert!(to_the_end(&mut half).await.starts_with("HTTP/1.1 202"));
    new.write_all(ACCEPTED.as_bytes()).await.unwrap();
    assert!(to_the_end(&mut new).await.starts_with("HTTP/1.1 202"));
}
