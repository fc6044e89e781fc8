//! The state of one connection: what it is doing, since when, and when its time is up.
//!
//! Connections are cheap for a hostile peer, and their number is limited. So a connection that has not sent an accepted
//! request gets little time, and gives way to a new one where the limit is reached.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Instant;

/// Time that a connection may idle after an accepted request: proxies reuse one for 60 s.
const TRUSTED_IDLE: Duration = Duration::from_secs(75);
/// Time during which the rest of a refused request is read and thrown away, so that its sender gets to see the
/// answer.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(1);

/// The state, shared by the task that serves the connection and the accept loop.
#[derive(Debug)]
pub(super) struct Progress {
    /// Time that a request's head may take, and that a connection without trust may idle.
    head: Duration,
    state: Mutex<ConnectionState>,
}

#[derive(Debug)]
struct ConnectionState {
    stage: Stage,
    since: Instant,
    /// Time at which the connection was accepted, or sent its last answer.
    waiting_since: Instant,
    /// It has sent a request that was answered 2xx.
    is_trusted: bool,
    /// The answer was sent before the request's body was read.
    leaves_unread: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No byte of the next request has come.
    Idle,
    /// A part of a head has come.
    Head,
    /// The head is whole, the body is not.
    Body,
    /// The request is whole: it is being answered.
    Answer,
    /// The last answer was sent; the rest of the request is thrown away.
    Closing,
    /// It gave way to another connection.
    GaveWay,
}

/// Order in which connections give way: first those that have sent no accepted request, and among them the one
/// that has been without an answer for the longest. The progress of its request does not matter: a hostile peer
/// could otherwise outlast a newcomer by one more byte.
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
        };
        Arc::new(Self { head, state: Mutex::new(state) })
    }

    /// A panic elsewhere leaves plain values behind, which are whole at every moment.
    fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time at which the connection is closed if nothing happens until then. `None`: the current stage has a limit
    /// of its own.
    pub(super) fn due(&self) -> Option<Instant> {
        let state = self.lock();
        let allowed = match state.stage {
            Stage::Idle if state.is_trusted => TRUSTED_IDLE,
            Stage::Idle | Stage::Head => self.head,
            Stage::Closing => CLOSING_TIMEOUT,
            Stage::Body | Stage::Answer | Stage::GaveWay => return None,
        };
        Some(state.since + allowed)
    }

    /// The place in the order of giving way. `None`: the connection does not give way, for its request is being answered.
    pub(super) fn rank(&self) -> Option<EvictionRank> {
        let state = self.lock();
        match state.stage {
            Stage::Answer | Stage::GaveWay => None,
            Stage::Idle | Stage::Head | Stage::Body | Stage::Closing => {
                Some(EvictionRank { is_trusted: state.is_trusted, waiting_since: state.waiting_since })
            }
        }
    }

    /// Has the connection give way. `false`: meanwhile its request is being answered.
    pub(super) fn gives_way(&self) -> bool {
        let mut state = self.lock();
        let may = state.stage != Stage::Answer;
        if may {
            state.stage = Stage::GaveWay;
        }
        may
    }

    /// Bytes came in.
    pub(super) fn read(&self) {
        self.go_on(Stage::Idle, Stage::Head);
    }

    /// Bytes of an answer went out: the peer is there and reads.
    pub(super) fn wrote(&self) {
        self.go_on(Stage::Idle, Stage::Idle);
    }

    /// A head is whole. `false`: the connection gave way meanwhile.
    pub(super) fn request(&self) -> bool {
        let mut state = self.lock();
        if state.stage == Stage::GaveWay {
            return false;
        }
        (state.stage, state.since) = (Stage::Body, Instant::now());
        true
    }

    /// The body is whole.
    fn whole(&self) {
        self.go_on(Stage::Body, Stage::Answer);
    }

    /// The answer is being sent.
    pub(super) fn answered(&self, is_accepted: bool, is_refused: bool) {
        let mut state = self.lock();
        state.leaves_unread = is_refused && state.stage == Stage::Body;
        state.is_trusted |= is_accepted;
        if state.stage != Stage::GaveWay {
            (state.stage, state.since) = (Stage::Idle, Instant::now());
            state.waiting_since = state.since;
        }
    }

    /// The last answer was sent. `true`: the rest of the request must still be read.
    pub(super) fn closes(&self) -> bool {
        let mut state = self.lock();
        if state.leaves_unread && state.stage != Stage::Closing {
            (state.stage, state.since) = (Stage::Closing, Instant::now());
        }
        state.leaves_unread
    }

    fn go_on(&self, from: Stage, to: Stage) {
        let mut state = self.lock();
        if state.stage == from {
            (state.stage, state.since) = (to, Instant::now());
        }
    }
}

/// A request's body, which tells when it is whole.
pub(super) struct TrackedBody {
    body: Incoming,
    progress: Arc<Progress>,
}

impl TrackedBody {
    pub(super) fn new(body: Incoming, progress: Arc<Progress>) -> Self {
        if body.is_end_stream() {
            progress.whole();
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
            self.progress.whole();
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
        progress.due().map(|due| due - progress.lock().since)
    }

    #[test]
    fn only_an_accepted_request_earns_a_long_idle_time() {
        let progress = Progress::new(HEAD);
        assert_eq!(allowed(&progress), Some(HEAD), "no byte yet");
        progress.read();
        assert_eq!(allowed(&progress), Some(HEAD), "half a head");
        assert!(progress.request());
        progress.whole();
        assert_eq!(allowed(&progress), None, "the answer has its own limit");
        progress.answered(false, false);
        assert_eq!(allowed(&progress), Some(HEAD), "a 503 is no acceptance");
        progress.request();
        progress.answered(true, false);
        assert_eq!(allowed(&progress), Some(TRUSTED_IDLE));
        progress.read();
        assert_eq!(allowed(&progress), Some(HEAD), "half a head, even of one that is trusted");
        progress.request();
        progress.answered(false, true);
        assert!(progress.closes(), "the body was not read");
        assert_eq!(allowed(&progress), Some(CLOSING_TIMEOUT));
    }

    #[test]
    fn a_peer_that_reads_a_long_answer_is_not_idle() {
        let progress = Progress::new(HEAD);
        progress.request();
        progress.answered(false, false);
        progress.lock().since -= HEAD;
        let due = progress.due().unwrap();
        progress.wrote();
        assert!(progress.due().unwrap() >= due + HEAD);
    }

    #[test]
    fn the_one_that_waits_longest_gives_way_first_and_trusted_ones_last() {
        let [sending, half, newest, trusted, answering] = [(); 5].map(|()| Progress::new(HEAD));
        // A connection does not become younger by sending.
        for (progress, age) in [(&sending, 3), (&half, 2), (&trusted, 4)] {
            progress.lock().waiting_since -= Duration::from_secs(age);
        }
        sending.request();
        half.read();
        trusted.lock().is_trusted = true;
        answering.request();
        answering.whole();
        let ranks = [&sending, &half, &newest, &trusted].map(|progress| progress.rank().unwrap());
        assert!(ranks.is_sorted_by(|one, next| one < next), "{ranks:?}");
        assert_eq!((answering.rank(), answering.gives_way()), (None, false));
        assert!(sending.gives_way() && !sending.request(), "its request is not begun any more");
        assert_eq!(sending.rank(), None);
    }
}
