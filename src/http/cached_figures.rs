//! Cache of figures. In a large store a request gets the cached figures, and new ones are computed in the background.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, oneshot, watch};
use tokio::time::timeout;

use super::api_error::ApiError;
use super::reads::ReadLog;
use crate::domain::timestamp::Timestamp;
use crate::store::ReadError;

/// Largest number of rows from which figures are computed while a request waits. With more rows, the request gets
/// cached figures if there are any.
const FEW_ROWS: usize = 100_000;
/// Shortest time between two computations from more than [`FEW_ROWS`] rows.
const COMPUTED_EVERY: Duration = Duration::from_mins(1);
/// Answers older than this are not returned.
const OLDEST: Duration = Duration::from_mins(15);

/// Lock that lets one computation run at a time, because each takes memory.
#[derive(Clone, Default)]
pub(super) struct ComputeLock {
    mutex: Arc<AsyncMutex<()>>,
    log: ReadLog,
}

impl ComputeLock {
    /// A lock whose failed reads go to `log`.
    pub(super) fn new(log: ReadLog) -> Self {
        Self { mutex: Arc::default(), log }
    }

    /// Waits for the lock, then runs `work` on a thread of its own.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let guard = self.next().await;
        on_own_thread(guard, self.log.clone(), work).await
    }

    /// The same for work in two steps. If the client has left after the first step, the second one is not made: for a large
    /// report it is the longer one, and the next request waits for the lock.
    pub(super) async fn take_in_steps<A: Send + 'static, T: Send + 'static>(
        &self,
        first: impl FnOnce() -> Result<A, ReadError> + Send + 'static,
        second: impl FnOnce(A) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let wanted = Arc::new(());
        let is_wanted = Arc::downgrade(&wanted);
        let done = self
            .take(move || {
                let read = first()?;
                Ok(is_wanted.upgrade().map(|_| second(read)))
            })
            .await?;
        // The client is still there, because this line is reached. So the work was done.
        drop(wanted);
        done.ok_or_else(ApiError::internal)
    }

    async fn next(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.mutex).lock_owned().await
    }
}

/// Runs the work on its own thread. The lock is released when the work ends, even if nobody waits for the result. The
/// thread ends with the work, so the allocator can reuse its memory for the next thread. Each thread of a pool would
/// keep its own memory.
async fn on_own_thread<T: Send + 'static>(
    guard: OwnedMutexGuard<()>,
    log: ReadLog,
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ApiError> {
    let (sender, receiver) = oneshot::channel();
    let work = move || {
        let done = work();
        drop(guard);
        // The request may have ended before.
        let _ = sender.send(done);
    };
    match thread::Builder::new().name("figures".into()).spawn(work) {
        Ok(_) => log.answered(receiver.await),
        Err(error) => log.answered(Err(error)),
    }
}

/// An answer, the time of its computation, and the number of rows that it was computed from.
pub(super) struct Computed<T> {
    pub(super) at: Timestamp,
    pub(super) rows: usize,
    pub(super) answer: T,
}

impl<T> Computed<T> {
    /// `true` if the answer is younger than `age`. `false` for an answer from the future: the clock was set back.
    fn is_younger_than(&self, age: Duration, now: Timestamp) -> bool {
        self.at <= now && now < self.at.saturating_add(age)
    }
}

/// Cache of the last answer.
pub(super) struct CachedFigures<T> {
    last: Arc<Mutex<Option<Arc<Computed<T>>>>>,
    /// `true` if figures that were computed from few rows are kept for a minute, too.
    caches_few_rows: bool,
    compute_lock: ComputeLock,
    /// Held while an answer for [`CachedFigures::within`] is computed.
    computing: Arc<AsyncMutex<()>>,
    /// Notified each time that such a computation ends or fails.
    ended: watch::Sender<()>,
}

impl<T: Send + Sync + 'static> CachedFigures<T> {
    pub(super) fn new(caches_few_rows: bool, compute_lock: ComputeLock) -> Self {
        let (computing, ended) = (Arc::default(), watch::Sender::new(()));
        Self { last: Arc::default(), caches_few_rows, compute_lock, computing, ended }
    }

    /// The last answer if it is fresh, else a new one. An answer from many rows may be up to [`OLDEST`] old: then
    /// nobody waits, and the new one is computed in the background. `compute` computes the answer as of `now`.
    pub(super) async fn get(
        &self,
        now: Timestamp,
        compute: impl FnOnce() -> Result<Computed<T>, ReadError> + Send + 'static,
    ) -> Result<Arc<Computed<T>>, ApiError> {
        if let Some(last) = self.fresh(now) {
            return Ok(last);
        }
        if let Some(last) = self.large(OLDEST, now) {
            // If a computation is running already, no second one is started.
            if let Ok(guard) = Arc::clone(&self.compute_lock.mutex).try_lock_owned() {
                tokio::spawn(self.computed(guard, compute));
            }
            return Ok(last);
        }
        let guard = self.compute_lock.next().await;
        if let Some(last) = self.fresh(now) {
            return Ok(last);
        }
        self.computed(guard, compute).await
    }

    /// New figures if they are ready within `max_wait`, else the last ones. `None` if there are none yet. Figures that
    /// are ready later are kept for the next request. One computation at a time serves all requests.
    pub(super) async fn within(
        &self,
        max_wait: Duration,
        now: Timestamp,
        compute: impl FnOnce() -> Result<Computed<T>, ReadError> + Send + 'static,
    ) -> Option<Arc<Computed<T>>> {
        if let Some(last) = self.fresh(now) {
            return Some(last);
        }
        let mut ended = self.ended.subscribe();
        if let Ok(computing) = Arc::clone(&self.computing).try_lock_owned() {
            let (compute_lock, last, notify) =
                (self.compute_lock.clone(), Arc::clone(&self.last), self.ended.clone());
            tokio::spawn(async move {
                // A failure is logged already.
                let _ = keep(compute_lock.next().await, compute_lock.log, last, compute).await;
                drop(computing);
                notify.send_replace(());
            });
        }
        let last = self.large(OLDEST, now);
        if last.is_some() {
            return last;
        }
        // If the computation ended before the subscription, no notification comes, and the timeout ends the wait.
        let _ = timeout(max_wait, ended.changed()).await;
        self.last().filter(|last| last.is_younger_than(OLDEST, now))
    }

    /// Time at which the last answer was computed.
    pub(super) fn computed_at(&self) -> Option<Timestamp> {
        self.last().map(|last| last.at)
    }

    /// Keeps an answer that was computed before the first request, if it took many rows. The caller must hold the
    /// compute lock, because this replaces any other answer.
    pub(super) fn keep_precomputed(&self, computed: Computed<T>) {
        if computed.rows > FEW_ROWS {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(computed));
        }
    }

    fn computed(
        &self,
        guard: OwnedMutexGuard<()>,
        compute: impl FnOnce() -> Result<Computed<T>, ReadError> + Send + 'static,
    ) -> impl Future<Output = Result<Arc<Computed<T>>, ApiError>> + Send + 'static {
        keep(guard, self.compute_lock.log.clone(), Arc::clone(&self.last), compute)
    }

    fn fresh(&self, now: Timestamp) -> Option<Arc<Computed<T>>> {
        if self.caches_few_rows {
            return self.last().filter(|last| last.is_younger_than(COMPUTED_EVERY, now));
        }
        self.large(COMPUTED_EVERY, now)
    }

    fn large(&self, age: Duration, now: Timestamp) -> Option<Arc<Computed<T>>> {
        self.last().filter(|last| last.rows > FEW_ROWS && last.is_younger_than(age, now))
    }

    fn last(&self) -> Option<Arc<Computed<T>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Computes an answer while holding the lock, and keeps it as the last one.
fn keep<T: Send + Sync + 'static>(
    guard: OwnedMutexGuard<()>,
    log: ReadLog,
    last: Arc<Mutex<Option<Arc<Computed<T>>>>>,
    compute: impl FnOnce() -> Result<Computed<T>, ReadError> + Send + 'static,
) -> impl Future<Output = Result<Arc<Computed<T>>, ApiError>> + Send + 'static {
    on_own_thread(guard, log, move || {
        let computed = Arc::new(compute()?);
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&computed));
        Ok(computed)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn at(minute: u64) -> Timestamp {
        Timestamp::from_nanos(0).saturating_add(Duration::from_mins(minute))
    }

    async fn get(kept: &CachedFigures<u64>, minute: u64, rows: usize) -> u64 {
        let compute = move || Ok(Computed { at: at(minute), rows, answer: minute });
        kept.get(at(minute), compute).await.map(|computed| computed.answer).unwrap()
    }

    #[tokio::test]
    async fn an_answer_from_few_rows_is_computed_for_each_request() {
        let kept = CachedFigures::new(false, ComputeLock::default());
        assert_eq!((get(&kept, 1, FEW_ROWS).await, get(&kept, 2, FEW_ROWS).await), (1, 2));
        let kept = CachedFigures::new(true, ComputeLock::default());
        assert_eq!((get(&kept, 1, 0).await, get(&kept, 1, 0).await, get(&kept, 2, 0).await), (1, 1, 2));
        assert_eq!(get(&kept, 1, 0).await, 1, "the clock was set back");
    }

    #[tokio::test]
    async fn an_answer_from_many_rows_is_computed_in_the_background() {
        let (kept, many) = (CachedFigures::new(false, ComputeLock::default()), FEW_ROWS + 1);
        assert_eq!(get(&kept, 1, many).await, 1);
        let (go_on, wait) = mpsc::channel::<()>();
        let slow = move || {
            wait.recv().unwrap();
            Ok(Computed { at: at(3), rows: many, answer: 3 })
        };
        let given = kept.get(at(3), slow).await.map(|computed| computed.answer).unwrap();
        assert_eq!(given, 1, "nobody waits");
        assert_eq!(get(&kept, 4, many).await, 1, "one at a time");
        go_on.send(()).unwrap();
        drop(kept.compute_lock.next().await);
        assert_eq!(get(&kept, 3, many).await, 3);
        assert_eq!(get(&kept, 40, many).await, 40, "a too old answer is not returned");
    }

    #[tokio::test]
    async fn work_ends_after_its_first_step_if_nobody_waits_for_it() {
        let lock = ComputeLock::default();
        assert_eq!(lock.take_in_steps(|| Ok(20), |read| read + 1).await.ok(), Some(21));
        let (began, begins) = oneshot::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        let (tells, hears) = mpsc::channel::<()>();
        let first = move || {
            began.send(()).unwrap();
            wait.recv().unwrap();
            Ok(())
        };
        let same_lock = lock.clone();
        let second = move |()| tells.send(()).unwrap();
        let request = tokio::spawn(async move { same_lock.take_in_steps(first, second).await });
        begins.await.unwrap();
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        go_on.send(()).unwrap();
        drop(lock.next().await);
        assert!(hears.recv().is_err(), "the second step was not made");
    }

    async fn within(
        kept: &CachedFigures<u64>,
        max_wait: Duration,
        minute: u64,
        compute: impl FnOnce() -> u64 + Send + 'static,
    ) -> Option<u64> {
        let compute = move || Ok(Computed { at: at(minute), rows: 0, answer: compute() });
        kept.within(max_wait, at(minute), compute).await.map(|computed| computed.answer)
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_patience() {
        let (kept, none) = (CachedFigures::new(true, ComputeLock::default()), Duration::ZERO);
        let (go_on, wait) = mpsc::channel::<()>();
        let slow = move || {
            wait.recv().unwrap();
            1
        };
        assert_eq!(within(&kept, none, 1, slow).await, None, "there is no answer yet");
        assert_eq!(within(&kept, none, 1, || unreachable!()).await, None, "one is computed at a time");
        go_on.send(()).unwrap();
        drop(kept.computing.lock().await);
        assert_eq!(within(&kept, none, 1, || unreachable!()).await, Some(1), "it was computed later");

        let busy = kept.compute_lock.next().await;
        assert_eq!(within(&kept, none, 5, || 5).await, Some(1), "the last one, as others compute");
        assert_eq!(within(&kept, none, 20, || 20).await, None, "a too old answer is not returned");
        drop(busy);
        drop(kept.computing.lock().await);
        assert_eq!(within(&kept, Duration::MAX, 20, || 20).await, Some(20), "the request waits for it");
    }

    #[tokio::test]
    async fn a_failed_computation_ends_the_wait() {
        let kept = CachedFigures::<u64>::new(true, ComputeLock::default());
        let answer = kept.within(Duration::MAX, at(1), || Err(ReadError::Cursor)).await;
        assert!(answer.is_none());
    }

    #[tokio::test]
    async fn only_answers_from_many_rows_are_kept_ahead() {
        let kept = CachedFigures::new(true, ComputeLock::default());
        kept.keep_precomputed(Computed { at: at(1), rows: 5, answer: 7 });
        assert_eq!(get(&kept, 1, 0).await, 1);
        kept.keep_precomputed(Computed { at: at(1), rows: FEW_ROWS + 1, answer: 7 });
        assert_eq!(get(&kept, 1, 0).await, 7);
    }
}
