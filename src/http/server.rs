//! Connections of a listener: accepted, limited, and drained at the end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::connection::{self, ConnectionLogLimits, stopped};
use super::listener_service::ListenerService;
use super::progress::Progress;
use crate::log_limit::LogLimit;
use crate::telemetry::connections::ConnectionRefusal;

/// Time that a peer may leave an answer unread.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before the next try if a connection cannot be accepted and none gives way.
const PAUSE: Duration = Duration::from_millis(50);
/// Time after the last failed accept until the log may say that connections are accepted again.
const ACCEPT_RECOVERY: Duration = Duration::from_secs(1);

/// Limits of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time limit for a request's head, and for the idle time of an untrusted connection: one without an accepted
    /// request.
    pub head: Duration,
    /// Largest number of connections. At the limit one gives way to a new one: untrusted ones first, and among them the
    /// one that has been without an answer for the longest time.
    pub connections: usize,
    /// Time that open requests may take after the order to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(5), connections: 1_024, drain: Duration::from_secs(10) }
    }
}

impl Limits {
    /// Limits of the admin listener. People and probes need few connections, and webhooks need the file descriptors.
    pub fn of_admin() -> Self {
        Self { connections: 128, ..Self::default() }
    }
}

/// Serves until `stop` is set, then lets the open requests finish.
pub async fn serve(
    listener: TcpListener,
    service: ListenerService,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let (mut open, mut accepts) = (OpenConnections::new(service), AcceptFailures::default());
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
        let admitted = match accepted {
            Ok((stream, peer)) => {
                accepts.succeeded();
                open.until_below(limits.connections, &mut stop).await.then_some((stream, peer))
            }
            Err(error) => {
                accepts.failed(&error);
                // Usually the process is out of file descriptors. Closing another connection frees one.
                open.free_one_connection(&mut stop).await;
                continue;
            }
        };
        let Some((stream, peer)) = admitted else { break };
        open.serve(stream, peer, limits.head, stop.clone());
    }
    drop(listener);
    let all_done = async { while open.tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, all_done).await.is_err() {
        tracing::warn!("some requests did not finish before the stop and were cut off");
    }
}

/// Open connections.
struct OpenConnections {
    service: ListenerService,
    tasks: JoinSet<()>,
    /// Connections that did not give way, by task.
    connections: HashMap<Id, (Arc<Progress>, AbortHandle)>,
    /// Limits of log lines.
    log_limits: Arc<ConnectionLogLimits>,
}

impl OpenConnections {
    fn new(service: ListenerService) -> Self {
        Self { service, tasks: JoinSet::new(), connections: HashMap::new(), log_limits: Arc::default() }
    }

    fn serve(&mut self, stream: TcpStream, peer: SocketAddr, head: Duration, stop: watch::Receiver<bool>) {
        // Answers are small and complete: waiting for more bytes would gain nothing.
        let _ = stream.set_nodelay(true);
        // A peer that does not read its answers is disconnected.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_TIMEOUT));
        let progress = Progress::new(head);
        let (service, log_limits) = (self.service.clone(), Arc::clone(&self.log_limits));
        let served = connection::serve(stream, peer, service, Arc::clone(&progress), stop, log_limits);
        let task = self.tasks.spawn(served);
        self.connections.insert(task.id(), (progress, task));
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.connections.remove(&id);
    }

    /// Waits until fewer than `limit` connections are open. `false` if the order to stop comes first.
    async fn until_below(&mut self, limit: usize, stop: &mut watch::Receiver<bool>) -> bool {
        while self.connections.len() >= limit {
            if !self.close_one(ConnectionRefusal::Limit) && !self.wait_for_close(stop).await {
                return false;
            }
        }
        true
    }

    /// Makes one connection give way, and gives its descriptor time to be closed.
    async fn free_one_connection(&mut self, stop: &mut watch::Receiver<bool>) {
        self.close_one(ConnectionRefusal::Descriptors);
        self.wait_for_close(stop).await;
    }

    /// Closes the connection that gives way first. `false` if all of them are being answered.
    fn close_one(&mut self, reason: ConnectionRefusal) -> bool {
        let ranked = self.connections.iter().filter_map(|(id, (progress, _))| Some((progress.rank()?, *id)));
        let first = ranked.min_by_key(|(rank, _)| *rank);
        let Some((progress, task)) = first.and_then(|(_, id)| self.connections.get(&id)) else {
            return false;
        };
        if progress.give_way() {
            self.service.refused.count(reason);
            task.abort();
            let id = task.id();
            self.connections.remove(&id);
        }
        true
    }

    /// Waits until a connection has ended, at most [`PAUSE`]. `false` if the order to stop comes first.
    async fn wait_for_close(&mut self, stop: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            biased;
            () = stopped(stop) => return false,
            Some(ended) = self.tasks.join_next_with_id() => self.forget(ended),
            () = tokio::time::sleep(PAUSE) => {}
        }
        true
    }
}

/// Failures to accept a connection, for the log.
#[derive(Default)]
struct AcceptFailures {
    log_limit: LogLimit,
    last_at: Option<Instant>,
    /// `true` from a logged failure until the log says that connections are accepted again.
    is_logged: bool,
}

impl AcceptFailures {
    fn failed(&mut self, error: &std::io::Error) {
        let now = Instant::now();
        self.last_at = Some(now);
        if let Some(held_back) = self.log_limit.pass(now.into_std()) {
            self.is_logged = true;
            tracing::warn!(
                %error, held_back,
                "a connection could not be accepted. If too many files are open, raise the limit (systemd: LimitNOFILE=)"
            );
        }
    }

    fn succeeded(&mut self) {
        if self.is_logged && self.last_at.is_some_and(|last_at| last_at.elapsed() >= ACCEPT_RECOVERY) {
            self.is_logged = false;
            tracing::info!("connections are accepted again");
        }
    }
}

#[cfg(test)]
mod tests;
