//! Slow and careless connections, over raw sockets.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Daemon, PATIENCE, event_of, fixture};

/// Sends raw bytes and reads until the connection is closed.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("never closed").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn three_hundred_slow_connections_delay_nobody() {
    let daemon = Daemon::start("").await;
    let half_head = "POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\n";
    let half_body = format!("{half_head}content-length: 1000\r\n\r\n{{");
    let mut slow = Vec::new();
    for bytes in ["", half_head, &half_body].repeat(100) {
        let mut stream = TcpStream::connect(daemon.public).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let answered =
        tokio::time::timeout(Duration::from_secs(1), daemon.deliver(fixture("incident.triggered")));
    assert_eq!(answered.await.expect("in a second").status, 202);
    // All are closed without an answer: after 5 s without a head, after 10 s without a body.
    for mut stream in slow {
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        closed.expect("never closed").ok();
        assert_eq!(String::from_utf8_lossy(&answer), "");
    }
}

#[tokio::test]
async fn unfinished_large_bodies_leave_room_for_others() {
    let daemon = Daemon::start("").await;
    let head = "POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\n\r\n";
    let most_of_it = format!("{head}{}", " ".repeat(400_000));
    let mut unfinished = Vec::new();
    for _ in 0..60 {
        let mut stream = TcpStream::connect(daemon.public).await.unwrap();
        // Without room for the body the daemon answers, and stops reading.
        let _ = stream.write_all(most_of_it.as_bytes()).await;
        unfinished.push(stream);
    }
    daemon.expect(fixture("incident.triggered"), "accepted").await;
}

#[tokio::test]
async fn invalid_requests_do_no_harm() {
    let daemon = Daemon::start("").await;
    for bytes in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "POST / HTTP/9.9\r\n\r\n", &"x".repeat(100_000)] {
        let mut stream = TcpStream::connect(daemon.public).await.unwrap();
        let _ = stream.write_all(bytes.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("never closed");
        assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 2"));
    }
    daemon.expect(fixture("incident.triggered"), "accepted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eleven_hundred_unfinished_connections_keep_no_webhook_out() {
    let daemon = Daemon::start("").await;
    let half_head = "POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\n";
    let half_body = format!("{half_head}content-length: 1000\r\n\r\n{{");
    let refused = "GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut hostile = Vec::new();
    for bytes in ["", half_head, &half_body, refused].into_iter().cycle().take(1_150) {
        let mut stream = TcpStream::connect(daemon.public).await.unwrap();
        // Connections that were closed to make room may have been reset.
        let _ = stream.write_all(bytes.as_bytes()).await;
        hostile.push(stream);
    }
    for n in 0..20 {
        let answer = daemon.deliver(event_of("incident.triggered", &format!("QCROWD{n:04}"))).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_unsigned_bodies_take_no_room_from_signed_ones() {
    let daemon = Daemon::start("").await;
    let head = "POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n";
    let most_of_it = format!("{head}{}", " ".repeat(59_999));
    let mut slow = Vec::new();
    for n in 0..260 {
        let mut stream = TcpStream::connect(daemon.public).await.unwrap();
        stream.write_all(most_of_it.as_bytes()).await.unwrap();
        slow.push(stream);
        let event = event_of("incident.triggered", &format!("QROOM{n:05}"));
        let signed = format!("{event}{}", " ".repeat(60_000));
        let answer = daemon.deliver(signed).await;
        assert_eq!(answer.status, 202, "beside {n} slow ones: {answer:?}");
    }
}
