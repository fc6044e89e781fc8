//! Connections: accepted, limited, and drained at the end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::connection::{self, stopped};
use super::progress::Progress;
use crate::log_limit::LogLimit;

/// Time that an answer may lie unread.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before the next try, if a connection cannot be accepted and none gives way.
const PAUSE: Duration = Duration::from_millis(50);
/// Time without a connection turned away, after which the log says that all is well again.
const SETTLED: Duration = Duration::from_secs(1);

/// Limits of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time that a request's head may take, and that a connection may idle that has sent no accepted request.
    pub head: Duration,
    /// Number of connections at once. Beyond that, the oldest connection without trust gives way to a new one.
    pub connections: usize,
    /// Time that requests in hand may take after the order to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(5), connections: 1_024, drain: Duration::from_secs(10) }
    }
}

impl Limits {
    /// Limits of the admin listener. People and probes need few connections, and must leave the descriptors to webhooks.
    pub fn of_admin() -> Self {
        Self { connections: 128, ..Self::default() }
    }
}

/// Serves until `stop` is set, then lets the requests in hand finish.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let (mut open, mut failing) = (OpenConnections::default(), Failing::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(ended) = open.tasks.join_next_with_id() => {
                open.forget(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let room = match accepted {
            Ok((stream, peer)) => {
                failing.no_more();
                open.until_below(limits.connections, &mut stop).await.then_some((stream, peer))
            }
            Err(error) => {
                failing.again(&error);
                // Mostly the process is out of file descriptors. Another connection may spare its own.
                open.one_less(&mut stop).await;
                continue;
            }
        };
        let Some((stream, peer)) = room else { break };
        open.serve(stream, peer, router.clone(), limits.head, stop.clone());
    }
    drop(listener);
    let all_done = async { while open.tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, all_done).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
}

/// The connections that are open.
#[derive(Default)]
struct OpenConnections {
    tasks: JoinSet<()>,
    /// By task: those that did not give way.
    connections: HashMap<Id, (Arc<Progress>, AbortHandle)>,
}

impl OpenConnections {
    fn serve(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        router: Router,
        head: Duration,
        stop: watch::Receiver<bool>,
    ) {
        // Answers are small and complete: waiting for more of them gains nothing.
        let _ = stream.set_nodelay(true);
        // A peer that does not read its answers is cut off, and does not keep its place for ever.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_TIMEOUT));
        let progress = Progress::new(head);
        let task = self.tasks.spawn(connection::serve(stream, peer, router, Arc::clone(&progress), stop));
        self.connections.insert(task.id(), (progress, task));
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.connections.remove(&id);
    }

    /// Ready once fewer than `limit` are open; `false` once the order to stop has come.
    async fn until_below(&mut self, limit: usize, stop: &mut watch::Receiver<bool>) -> bool {
        while self.connections.len() >= limit {
            if !self.gives_way() && !self.settle(stop).await {
                return false;
            }
        }
        true
    }

    /// Has one connection give way, and lets its descriptor be closed.
    async fn one_less(&mut self, stop: &mut watch::Receiver<bool>) {
        self.gives_way();
        self.settle(stop).await;
    }

    /// Closes the connection that is the first to give way. `false`: every one is being answered.
    fn gives_way(&mut self) -> bool {
        let ranked = self.connections.iter().filter_map(|(id, (progress, _))| Some((progress.rank()?, *id)));
        let first = ranked.min_by_key(|(rank, _)| *rank);
        let Some((progress, task)) = first.and_then(|(_, id)| self.connections.get(&id)) else {
            return false;
        };
        if progress.gives_way() {
            task.abort();
            let id = task.id();
            self.connections.remove(&id);
        }
        true
    }

    /// Waits until a connection has ended, or a moment; `false` once the order to stop has come.
    async fn settle(&mut self, stop: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            biased;
            () = stopped(stop) => return false,
            Some(ended) = self.tasks.join_next_with_id() => self.forget(ended),
            () = tokio::time::sleep(PAUSE) => {}
        }
        true
    }
}

/// Connections that the system would not give, as the log tells of them.
#[derive(Default)]
struct Failing {
    lines: LogLimit,
    last_at: Option<Instant>,
    /// The log says that connections fail, and not yet that they are accepted again.
    is_told: bool,
}

impl Failing {
    fn again(&mut self, error: &std::io::Error) {
        let now = Instant::now();
        self.last_at = Some(now);
        if let Some(held_back) = self.lines.pass(now.into_std()) {
            self.is_told = true;
            tracing::warn!(
                %error, held_back,
                "a connection could not be accepted; where too many files are open, raise the limit (systemd: LimitNOFILE=)"
            );
        }
    }

    fn no_more(&mut self) {
        if self.is_told && self.last_at.is_some_and(|last_at| last_at.elapsed() >= SETTLED) {
            self.is_told = false;
            tracing::info!("connections are accepted again");
        }
    }
}

#[cfg(test)]
mod tests;
