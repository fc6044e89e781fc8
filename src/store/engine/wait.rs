//! Waiting for a future in a thread, with a limit.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// The result of a future. `None` if it takes longer than `limit`. May be called in every thread, also in one of another
/// runtime.
pub(super) fn wait<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let began = Instant::now();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(result);
        }
        thread::park_timeout(limit.checked_sub(began.elapsed())?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_is_waited_for_until_the_limit() {
        let long = Duration::from_mins(1);
        assert_eq!(wait(async { 7 }, Duration::ZERO), Some(7));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        thread::spawn(move || sender.send(8));
        assert_eq!(wait(receiver, long), Some(Ok(8)));
        assert_eq!(wait(std::future::pending::<()>(), Duration::from_millis(1)), None);
    }
}
