//! Waiting for the server in a thread, with a limit.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

/// The runtime that all connections of the process are served by. It has one thread, because a connection only moves
/// bytes.
pub(super) fn runtime() -> std::io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_name("postgres").enable_all().build()?;
    // If another thread was first, its runtime is used, and this one ends.
    if let Err(unused) = RUNTIME.set(runtime) {
        unused.shutdown_background();
    }
    RUNTIME.get().ok_or_else(|| std::io::Error::other("no runtime"))
}

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
