//! A metrics backend that fails at random in every way but a refusal for good, and forgets nothing it was ever sent.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request that takes longer is given up; the backend is slower than that at times.
pub(crate) const TIMEOUT_MILLIS: u64 = 300;

/// The backend, and what it remembers.
pub(crate) struct Unreliable {
    pub(crate) address: SocketAddr,
    memory: Arc<Mutex<Memory>>,
}

struct Memory {
    rng: Rng,
    is_reliable: bool,
    /// By failure id, in order.
    received: HashMap<String, Vec<Receipt>>,
}

/// One body, and how often it came in a row.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) body: Vec<u8>,
    pub(crate) times: u32,
    /// `true` if it was taken at least once; the others were answered with an error.
    pub(crate) is_taken: bool,
}

/// Reaction to a request that it has read.
enum Mood {
    Takes,
    TakesSlowly(Duration),
    TakesAndIsCutOff,
    IsCutOff,
    Refuses(&'static str),
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

    /// From now on it takes everything.
    pub(crate) fn becomes_reliable(&self) {
        lock(&self.memory).is_reliable = true;
    }

    /// All that it was ever sent, by failure id.
    pub(crate) fn received(&self) -> HashMap<String, Vec<Receipt>> {
        std::mem::take(&mut lock(&self.memory).received)
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap()
}

impl Memory {
    fn mood(&mut self) -> Mood {
        if self.is_reliable {
            return Mood::Takes;
        }
        match self.rng.u8(..20) {
            0 => Mood::TakesSlowly(Duration::from_millis(self.rng.u64(..2 * TIMEOUT_MILLIS))),
            1 => Mood::TakesAndIsCutOff,
            2 => Mood::IsCutOff,
            3 => Mood::Refuses("503 Service Unavailable\r\n"),
            4 => Mood::Refuses("500 Internal Server Error\r\n"),
            5 => Mood::Refuses("429 Too Many Requests\r\nretry-after: 1\r\n"),
            _ => Mood::Takes,
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

/// Answers the requests of one connection, or does not.
async fn answer_all(mut stream: TcpStream, memory: Arc<Mutex<Memory>>) {
    let mut buffer = Vec::new();
    while let Some(body) = next_body(&mut stream, &mut buffer).await {
        let mood = {
            let mut memory = lock(&memory);
            let mood = memory.mood();
            memory.remember(body, !matches!(mood, Mood::IsCutOff | Mood::Refuses(_)));
            mood
        };
        let status = match mood {
            Mood::Takes => "202 Accepted\r\n",
            Mood::TakesSlowly(pause) => {
                // Not a wait for something that must have happened: the slowness itself is what is tried.
                tokio::time::sleep(pause).await;
                "200 OK\r\n"
            }
            Mood::TakesAndIsCutOff | Mood::IsCutOff => {
                // Closed with unsent data thrown away, a connection is reset.
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                return;
            }
            Mood::Refuses(status) => status,
        };
        let answer = format!("HTTP/1.1 {status}content-length: 2\r\n\r\n{{}}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next request that comes whole; `None`: there is none any more.
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
