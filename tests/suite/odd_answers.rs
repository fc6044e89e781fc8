//! Answers that no proper backend gives: the outcome of each, and that reading them costs little.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Daemon, KEY, event_of};

/// The backend's behaviour after a request's head.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// These bytes, after the body was read. The connection stays open.
    Is(&'static [u8]),
    /// These bytes, before the body is read.
    ComesEarly(&'static [u8]),
    /// These bytes, and then one byte after another, slowly.
    Drips(&'static [u8]),
    /// These bytes, and then as many as the other side reads.
    Floods(&'static [u8]),
}

/// A backend that answers each connection's first request in this way.
struct Odd {
    address: SocketAddr,
    /// Number of bytes that were sent after those of `Floods`.
    flooded: Arc<AtomicUsize>,
}

impl Odd {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let flooded = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&flooded);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counter = Arc::clone(&counter);
                tokio::spawn(async move { drop(serve(stream, answer, &counter).await) });
            }
        });
        Self { address, flooded }
    }

    fn entry(&self, timeout: &str) -> String {
        format!(
            "[[backend]]\nname = \"odd\"\nkind = \"datadog\"\nurl = \"http://{}\"\n\
             api_key = {{ value = \"{KEY}\" }}\ntimeout = \"{timeout}\"\n",
            self.address
        )
    }
}

async fn serve(mut stream: TcpStream, answer: Answer, flooded: &AtomicUsize) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if let Answer::ComesEarly(bytes) = answer {
        stream.write_all(bytes).await?;
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).await?;
    match answer {
        Answer::ComesEarly(_) => {}
        Answer::Is(bytes) => stream.write_all(bytes).await?,
        Answer::Drips(bytes) => {
            stream.write_all(bytes).await?;
            loop {
                // This sleep does not wait for an event: the test needs a slow answer.
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.write_all(b"1").await?;
            }
        }
        Answer::Floods(bytes) => {
            stream.write_all(bytes).await?;
            loop {
                flooded.fetch_add(stream.write(&[b'1'; 8_192]).await?, Ordering::Relaxed);
            }
        }
    }
    // Stays open until the other side closes.
    stream.read_u8().await.map(drop)
}

/// State of the row, status of the answer (0 if there is none) and error, once an attempt is recorded.
async fn outcome(daemon: &Daemon) -> (String, i64, String) {
    daemon.expect(event_of("incident.resolved", "QODDANSWER"), "accepted").await;
    daemon.until(|store| store.recorded_attempts() == 1).await;
    let row = daemon.get("/api/v1/outbox").await.json()["rows"][0].clone();
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    (text("state"), row["last_status"].as_i64().unwrap_or_default(), text("last_error"))
}

#[tokio::test]
async fn the_status_alone_decides() {
    use Answer::{ComesEarly, Drips, Floods, Is};
    for (answer, state, status) in [
        (Is(b"HTTP/1.1 204 No Content\r\n\r\n"), "sent", 204),
        (Is(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\xff\xfe\0{{[[\x1b["), "sent", 200),
        (Is(b"HTTP/1.0 200 OK\r\n\r\nuntil it is closed, which it is not"), "sent", 200),
        (Is(b"HTTP/1.1 202 OK\r\ntransfer-encoding: chunked\r\n\r\nno chunk\r\n"), "sent", 202),
        (Is(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnone"), "sent", 200),
        (
            Is(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 202 A\r\ncontent-length: 0\r\n\r\n"),
            "sent",
            202,
        ),
        (ComesEarly(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"), "sent", 202),
        (ComesEarly(b"HTTP/1.1 422 No\r\ncontent-length: 2\r\n\r\nno"), "dead", 422),
        (Drips(b"HTTP/1.1 202 Accepted\r\ncontent-length: 100000\r\n\r\n"), "sent", 202),
        (Drips(b"HTTP/1.1 503 Later\r\ncontent-length: 100000\r\n\r\n"), "pending", 503),
        (Drips(b"HTTP/1.1 202 Accepted\r\nx-endless: "), "pending", 0),
        (Floods(b"HTTP/1.1 202 Accepted\r\nx-endless: "), "pending", 0),
        (Is(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"), "pending", 101),
        (Is(b"HTTP/1.1 999 Request denied\r\ncontent-length: 0\r\n\r\n"), "pending", 999),
        (Is(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"), "pending", 302),
        (Is(b"HTTP/1.1 304 Not Modified\r\n\r\n"), "pending", 304),
        (Is(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"), "pending", 0),
        (Is(b"\0\0\0\0"), "pending", 0),
    ] {
        let backend = Odd::start(answer).await;
        let daemon = Daemon::start(&backend.entry("200ms")).await;
        let (found, answered, error) = outcome(&daemon).await;
        assert_eq!((found.as_str(), answered), (state, status), "{answer:?}: {error}");
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_read_only_in_part() {
    const SOCKET_BUFFERS: usize = 32 << 20;
    for (head, state) in [
        (&b"HTTP/1.1 202 Accepted\r\ncontent-length: 9999999999\r\n\r\n"[..], "sent"),
        (b"HTTP/1.1 400 No\r\nconnection: close\r\n\r\n", "dead"),
    ] {
        let backend = Odd::start(Answer::Floods(head)).await;
        // Long enough to read gigabytes.
        let daemon = Daemon::start(&backend.entry("20s")).await;
        let (found, _, error) = outcome(&daemon).await;
        assert_eq!(found, state, "{error}");
        assert!(error.len() < 1_100, "{}", error.len());
        let flooded = backend.flooded.load(Ordering::Relaxed);
        assert!(flooded < SOCKET_BUFFERS, "{flooded} bytes were read");
    }
}
