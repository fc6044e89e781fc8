//! A metrics backend that fails at random in every way except by rejecting a row, and records each request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Timeout of the daemon's requests. The backend is sometimes slower.
pub(crate) const TIMEOUT_MILLIS: u64 = 300;

/// The backend, and the requests that it received.
pub(crate) struct Unreliable {
    pub(crate) address: SocketAddr,
    memory: Arc<Mutex<Memory>>,
}

struct Memory {
    rng: Rng,
    is_reliable: bool,
    /// Requests by failure id, in the order of arrival.
    received: HashMap<String, Vec<Receipt>>,
}

/// A body, and the number of consecutive requests that had it.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) body: Vec<u8>,
    pub(crate) times: u32,
    /// `true` if it was accepted at least once.
    pub(crate) is_taken: bool,
}

/// Reaction to a request.
enum RandomReaction {
    Accepts,
    AcceptsSlowly(Duration),
    AcceptsAndIsCutOff,
    IsCutOff,
    Fails(&'static str),
}

impl Unreliable {
    pub(crate) async fn start(rng: Rng) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let memory = Arc::new(Mutex::new(Memory { rng, is_reliable: false, received: HashMap::new() }));
        let shared = Arc::clone(&memory);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer_all(stream, Arc::clone(&shared)));
            }
        });
        Self { address, memory }
    }

    /// Makes it accept everything from now on.
    pub(crate) fn becomes_reliable(&self) {
        lock(&self.memory).is_reliable = true;
    }

    /// Takes all requests so far, by failure id.
    pub(crate) fn received(&self) -> HashMap<String, Vec<Receipt>> {
        std::mem::take(&mut lock(&self.memory).received)
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap()
}

impl Memory {
    fn reaction(&mut self) -> RandomReaction {
        if self.is_reliable {
            return RandomReaction::Accepts;
        }
        match self.rng.u8(..20) {
            0 => RandomReaction::AcceptsSlowly(Duration::from_millis(self.rng.u64(..2 * TIMEOUT_MILLIS))),
            1 => RandomReaction::AcceptsAndIsCutOff,
            2 => RandomReaction::IsCutOff,
            3 => RandomReaction::Fails("503 Service Unavailable\r\n"),
            4 => RandomReaction::Fails("500 Internal Server Error\r\n"),
            5 => RandomReaction::Fails("429 Too Many Requests\r\nretry-after: 1\r\n"),
            _ => RandomReaction::Accepts,
        }
    }

    fn remember(&mut self, body: Vec<u8>, is_taken: bool) {
        let parsed: Value = serde_json::from_slice(&body).unwrap();
        let id = parsed["data"]["attributes"]["id"].as_str().unwrap().to_owned();
        let receipts = self.received.entry(id).or_default();
        match receipts.last_mut().filter(|last| last.body == body) {
            Some(last) => {
                last.times += 1;
                last.is_taken |= is_taken;
            }
            None => receipts.push(Receipt { body, times: 1, is_taken }),
        }
    }
}

/// Reacts to the requests of one connection.
async fn answer_all(mut stream: TcpStream, memory: Arc<Mutex<Memory>>) {
    let mut buffer = Vec::new();
    while let Some(body) = next_body(&mut stream, &mut buffer).await {
        let reaction = {
            let mut memory = lock(&memory);
            let reaction = memory.reaction();
            memory.remember(body, !matches!(reaction, RandomReaction::IsCutOff | RandomReaction::Fails(_)));
            reaction
        };
        let status = match reaction {
            RandomReaction::Accepts => "202 Accepted\r\n",
            RandomReaction::AcceptsSlowly(pause) => {
                // This sleep does not wait for an event: the test needs a slow answer.
                tokio::time::sleep(pause).await;
                "200 OK\r\n"
            }
            RandomReaction::AcceptsAndIsCutOff | RandomReaction::IsCutOff => {
                // With a linger of zero, closing resets the connection.
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                return;
            }
            RandomReaction::Fails(status) => status,
        };
        let answer = format!("HTTP/1.1 {status}content-length: 2\r\n\r\n{{}}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next complete request. `None` if the connection has ended.
async fn next_body(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        if let Some(end_of_head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end_of_head]).unwrap().to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            let (start, length) = (end_of_head + 4, length.parse::<usize>().unwrap());
            if buffer.len() >= start + length {
                let body = buffer[start..start + length].to_vec();
                buffer.drain(..start + length);
                return Some(body);
            }
        }
        match stream.read_buf(buffer).await {
            Ok(1..) => {}
            _ => return None,
        }
    }
}
