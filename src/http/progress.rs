//! State of one connection: its stage, the start of that stage, and its deadline.
//!
//! Connections are cheap for a hostile peer, and their number is limited. So a connection without an accepted request
//! gets little time, and gives way to a new one at the limit.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Time that a connection may idle after an accepted request. Proxies reuse a connection for 60 s.
const TRUSTED_IDLE: Duration = Duration::from_secs(75);
/// Time for which the rest of a refused request is read and discarded, so that its sender sees the answer.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(1);

/// Time that a connection without a request has for one when the program stops. A proxy may just have opened it.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// State of a connection, shared by the task that serves it and the accept loop.
#[derive(Debug)]
pub(super) struct Progress {
    /// Time limit for a request's head, and for the idle time of an untrusted connection.
    head: Duration,
    state: Mutex<ConnectionState>,
    /// Notified once the head of the first request has arrived.
    has_request: Notify,
}

#[derive(Debug)]
struct ConnectionState {
    stage: Stage,
    since: Instant,
    /// Time at which the connection was accepted, or sent its last answer.
    waiting_since: Instant,
    /// A request on this connection was answered 2xx.
    is_trusted: bool,
    /// The answer was sent before the request's body was read.
    leaves_unread: bool,
    /// The head of a request has arrived.
    has_sent_request: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No byte of the next request has arrived.
    Idle,
    /// A part of the head has arrived.
    Head,
    /// The head is complete, the body is not.
    Body,
    /// The request is complete and is being answered.
    Answer,
    /// The last answer was sent. The rest of the request is being discarded.
    Closing,
    /// The connection gave way to another one.
    GaveWay,
}

/// Order in which connections give way: untrusted ones first, and among them the one that has been without an answer
/// for the longest time. The bytes that it has sent do not matter. Otherwise a hostile peer could keep its connection
/// by sending a byte now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EvictionRank {
    is_trusted: bool,
    waiting_since: Instant,
}

impl Progress {
    pub(super) fn new(head: Duration) -> Arc<Self> {
        let now = Instant::now();
        let state = ConnectionState {
            stage: Stage::Idle,
            since: now,
            waiting_since: now,
            is_trusted: false,
            leaves_unread: false,
            has_sent_request: false,
        };
        Arc::new(Self { head, state: Mutex::new(state), has_request: Notify::new() })
    }

    /// Ignores poisoning: a panic cannot leave the values half changed.
    fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time at which the connection is closed if nothing happens until then. `None` if the current stage has a limit of
    /// its own.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let state = self.lock();
        let allowed = match state.stage {
            Stage::Idle if state.is_trusted => TRUSTED_IDLE,
            Stage::Idle | Stage::Head => self.head,
            Stage::Closing => CLOSING_TIMEOUT,
            Stage::Body | Stage::Answer | Stage::GaveWay => return None,
        };
        Some(state.since + allowed)
    }

    /// Rank of the connection. `None` if its request is being answered, or if it gave way already.
    pub(super) fn rank(&self) -> Option<EvictionRank> {
        let state = self.lock();
        match state.stage {
            Stage::Answer | Stage::GaveWay => None,
            Stage::Idle | Stage::Head | Stage::Body | Stage::Closing => {
                Some(EvictionRank { is_trusted: state.is_trusted, waiting_since: state.waiting_since })
            }
        }
    }

    /// Makes the connection give way. `false` if its request is being answered by now.
    pub(super) fn give_way(&self) -> bool {
        let mut state = self.lock();
        let may = state.stage != Stage::Answer;
        if may {
            state.stage = Stage::GaveWay;
        }
        may
    }

    /// Ready once the connection has sent a request, or has had [`FIRST_REQUEST`] for it.
    pub(super) async fn first_request(&self) {
        if !self.lock().has_sent_request {
            // After this time the connection counts as idle.
            let _ = timeout(FIRST_REQUEST, self.has_request.notified()).await;
        }
    }

    /// Notes that bytes were read.
    pub(super) fn read(&self) {
        self.advance(Stage::Idle, Stage::Head);
    }

    /// Notes that bytes of an answer were written: the peer reads.
    pub(super) fn wrote(&self) {
        self.advance(Stage::Idle, Stage::Idle);
    }

    /// Notes that a head is complete. `false` if the connection gave way meanwhile.
    pub(super) fn request(&self) -> bool {
        let mut state = self.lock();
        if state.stage == Stage::GaveWay {
            return false;
        }
        (state.stage, state.since) = (Stage::Body, Instant::now());
        state.has_sent_request = true;
        self.has_request.notify_one();
        true
    }

    /// Notes that the body is complete.
    fn body_complete(&self) {
        self.advance(Stage::Body, Stage::Answer);
    }

    /// Notes that the answer is being sent.
    pub(super) fn answered(&self, is_accepted: bool, is_refused: bool) {
        let mut state = self.lock();
        state.leaves_unread = is_refused && state.stage == Stage::Body;
        state.is_trusted |= is_accepted;
        if state.stage != Stage::GaveWay {
            (state.stage, state.since) = (Stage::Idle, Instant::now());
            state.waiting_since = state.since;
        }
    }

    /// Notes that the last answer was sent. `true` if the rest of the request must still be read.
    pub(super) fn begin_closing(&self) -> bool {
        let mut state = self.lock();
        if state.leaves_unread && state.stage != Stage::Closing {
            (state.stage, state.since) = (Stage::Closing, Instant::now());
        }
        state.leaves_unread
    }

    fn advance(&self, from: Stage, to: Stage) {
        let mut state = self.lock();
        if state.stage == from {
            (state.stage, state.since) = (to, Instant::now());
        }
    }
}

/// A request's body that reports its end to [`Progress`].
pub(super) struct TrackedBody {
    body: Incoming,
    progress: Arc<Progress>,
}

impl TrackedBody {
    pub(super) fn new(body: Incoming, progress: Arc<Progress>) -> Self {
        if body.is_end_stream() {
            progress.body_complete();
        }
        Self { body, progress }
    }
}

impl Body for TrackedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.progress.body_complete();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Duration = Duration::from_secs(5);

    fn allowed(progress: &Progress) -> Option<Duration> {
        progress.deadline().map(|due| due - progress.lock().since)
    }

    #[test]
    fn only_an_accepted_request_earns_a_long_idle_time() {
        let progress = Progress::new(HEAD);
        assert_eq!(allowed(&progress), Some(HEAD), "no byte yet");
        progress.read();
        assert_eq!(allowed(&progress), Some(HEAD), "half a head");
        assert!(progress.request());
        progress.body_complete();
        assert_eq!(allowed(&progress), None, "the answer has its own limit");
        progress.answered(false, false);
        assert_eq!(allowed(&progress), Some(HEAD), "a 503 is no acceptance");
        progress.request();
        progress.answered(true, false);
        assert_eq!(allowed(&progress), Some(TRUSTED_IDLE));
        progress.read();
        assert_eq!(allowed(&progress), Some(HEAD), "half a head, even of a trusted connection");
        progress.request();
        progress.answered(false, true);
        assert!(progress.begin_closing(), "the body was not read");
        assert_eq!(allowed(&progress), Some(CLOSING_TIMEOUT));
    }

    #[test]
    fn a_peer_that_reads_a_long_answer_is_not_idle() {
        let progress = Progress::new(HEAD);
        progress.request();
        progress.answered(false, false);
        progress.lock().since -= HEAD;
        let due = progress.deadline().unwrap();
        progress.wrote();
        assert!(progress.deadline().unwrap() >= due + HEAD);
    }

    #[test]
    fn the_connection_that_waits_longest_gives_way_first_and_trusted_ones_last() {
        let [sending, half, newest, trusted, answering] = [(); 5].map(|()| Progress::new(HEAD));
        // A connection does not become younger by sending.
        for (progress, age) in [(&sending, 3), (&half, 2), (&trusted, 4)] {
            progress.lock().waiting_since -= Duration::from_secs(age);
        }
        sending.request();
        half.read();
        trusted.lock().is_trusted = true;
        answering.request();
        answering.body_complete();
        let ranks = [&sending, &half, &newest, &trusted].map(|progress| progress.rank().unwrap());
        assert!(ranks.is_sorted_by(|one, next| one < next), "{ranks:?}");
        assert_eq!((answering.rank(), answering.give_way()), (None, false));
        assert!(sending.give_way() && !sending.request(), "its request does not start");
        assert_eq!(sending.rank(), None);
    }
}
