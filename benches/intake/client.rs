//! The client: one thread and two system calls for each request, so that it does not limit the result.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// Result of a run.
pub(crate) struct Run {
    /// Answered requests a second.
    pub(crate) per_second: f64,
    /// Median time to the answer.
    pub(crate) p50: Duration,
    /// Time to the answer that one in a hundred exceeded.
    pub(crate) p99: Duration,
    /// Number of events that were answered.
    pub(crate) answered: usize,
    /// Time from the first request to the last answer.
    pub(crate) took: Duration,
}

struct Connection {
    stream: TcpStream,
    requests: std::vec::IntoIter<Vec<u8>>,
    /// Request that is being sent, and the number of its bytes that are sent.
    sending: (Vec<u8>, usize),
    began: Instant,
    answer: Vec<u8>,
}

/// Sends every connection's requests one after the other, all connections at once.
pub(crate) fn run(address: SocketAddr, requests: Vec<Vec<Vec<u8>>>) -> io::Result<Run> {
    let mut poll = Poll::new()?;
    let mut connections = Vec::new();
    let mut took: Vec<Duration> = Vec::with_capacity(requests.iter().map(Vec::len).sum());
    for (index, requests) in requests.into_iter().enumerate() {
        let std_stream = std::net::TcpStream::connect(address)?;
        std_stream.set_nonblocking(true)?;
        std_stream.set_nodelay(true)?;
        let mut stream = TcpStream::from_std(std_stream);
        poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        let connection = Connection {
            stream,
            requests: requests.into_iter(),
            sending: (Vec::new(), 0),
            began: Instant::now(),
            answer: Vec::with_capacity(512),
        };
        connections.push(connection);
    }
    let began = Instant::now();
    let mut open = connections.len();
    for connection in &mut connections {
        open -= usize::from(!connection.send_next()?);
    }
    let mut events = Events::with_capacity(1024);
    while open > 0 {
        poll.poll(&mut events, Some(Duration::from_secs(10)))?;
        if events.is_empty() {
            return Err(io::Error::new(ErrorKind::TimedOut, "no answer for ten seconds"));
        }
        for event in &events {
            let connection = &mut connections[event.token().0];
            if event.is_writable() {
                connection.send_rest()?;
            }
            if event.is_readable() && connection.receive()? {
                took.push(connection.began.elapsed());
                open -= usize::from(!connection.send_next()?);
            }
        }
    }
    let all_took = began.elapsed();
    took.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 requests")]
    let per_second = took.len() as f64 / all_took.as_secs_f64();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
    Ok(Run { per_second, p50: at(50), p99: at(99), answered: took.len(), took: all_took })
}

/// Answer to one `GET`. Any answer but a 200 is an error.
pub(crate) fn get(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut stream = std::net::TcpStream::connect(address)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
    Ok(answer)
}

impl Connection {
    /// Sends the next request. `false` if there is none.
    fn send_next(&mut self) -> io::Result<bool> {
        let Some(request) = self.requests.next() else {
            return Ok(false);
        };
        self.began = Instant::now();
        self.answer.clear();
        self.sending = (request, 0);
        self.send_rest()?;
        Ok(true)
    }

    fn send_rest(&mut self) -> io::Result<()> {
        let (request, sent) = &mut self.sending;
        while *sent < request.len() {
            match self.stream.write(&request[*sent..]) {
                Ok(written) => *sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// `true` if the answer is complete. Any answer but a 202 is an error.
    fn receive(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.answer.extend_from_slice(&bytes[..read]);
                    if is_complete(&self.answer)? {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_complete(answer: &[u8]) -> io::Result<bool> {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(false);
    };
    if !answer.starts_with(b"HTTP/1.1 202") {
        return Err(io::Error::other(String::from_utf8_lossy(answer).into_owned()));
    }
    let text = String::from_utf8_lossy(&answer[..head]);
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    Ok(answer.len() >= head + 4 + length.unwrap_or(0))
}
