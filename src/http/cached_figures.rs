//! Answers that are computed from many rows: where that takes long, the last one is given, and the next one is computed
//! beside the requests.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, oneshot, watch};
use tokio::time::timeout;

use super::api_error::ApiError;
use super::reads::ReadLog;
use crate::domain::timestamp::Timestamp;
use crate::store::ReadError;

/// Number of rows that can be read while people wait.
const FEW_ROWS: usize = 100_000;
/// Shortest time between two computations from more rows than that.
const COMPUTED_EVERY: Duration = Duration::from_mins(1);
/// Older ones are given to nobody.
const OLDEST: Duration = Duration::from_mins(15);

/// Turns to read and compute: one at a time, because it takes memory.
#[derive(Clone, Default)]
pub(super) struct ComputeLock {
    turn: Arc<AsyncMutex<()>>,
    log: ReadLog,
}

impl ComputeLock {
    /// Turns whose failures go to this log.
    pub(super) fn new(log: ReadLog) -> Self {
        Self { turn: Arc::default(), log }
    }

    /// Waits for a turn, takes it, and does this in it.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = self.next().await;
        apart(turn, self.log.clone(), work).await
    }

    async fn next(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }
}

/// Runs the work on its own thread. The turn ends when the work ends, even if nobody waits for the result.
/// The thread ends with the work: the allocator passes its freed memory to the next one, while each thread of a pool
/// would keep its own.
async fn apart<T: Send + 'static>(
    turn: OwnedMutexGuard<()>,
    log: ReadLog,
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ApiError> {
    let (tell, told) = oneshot::channel();
    let work = move || {
        let done = work();
        drop(turn);
        // Whoever asked may be gone.
        let _ = tell.send(done);
    };
    match thread::Builder::new().name("figures".into()).spawn(work) {
        Ok(_) => log.answered(told.await),
        Err(error) => log.answered(Err(error)),
    }
}

/// An answer, when it was computed, and from how many rows.
pub(super) struct Computed<T> {
    pub(super) at: Timestamp,
    pub(super) rows: usize,
    pub(super) answer: T,
}

impl<T> Computed<T> {
    /// Not of a time to come either: the clock may have been set back since.
    fn is_younger_than(&self, age: Duration, now: Timestamp) -> bool {
        self.at <= now && now < self.at.saturating_add(age)
    }
}

/// The answer that was computed last.
pub(super) struct CachedFigures<T> {
    last: Arc<Mutex<Option<Arc<Computed<T>>>>>,
    /// Keeps answers from few rows for a minute, too.
    for_a_minute: bool,
    compute_lock: ComputeLock,
    /// Held from the moment that [`CachedFigures::within`] asks for a new answer until that was computed, or could not be.
    asked: Arc<AsyncMutex<()>>,
    /// Told each time that this ends.
    news: watch::Sender<()>,
}

impl<T: Send + Sync + 'static> CachedFigures<T> {
    pub(super) fn new(for_a_minute: bool, compute_lock: ComputeLock) -> Self {
        let (asked, news) = (Arc::default(), watch::Sender::new(()));
        Self { last: Arc::default(), for_a_minute, compute_lock, asked, news }
    }

    /// The answer, which is as of now where it is computed from few rows. `compute` is asked for one as of now.
    pub(super) async fn get(
        &self,
        now: Timestamp,
        compute: impl FnOnce() -> Result<Computed<T>, ReadError> + Send + 'static,
    ) -> Result<Arc<Computed<T>>, ApiError> {
        if let Some(last) = self.fresh(now) {
            return Ok(last);
        }
        if let Some(last) = self.large(OLDEST, now) {
            // Where somebody else computes already, that will do.
            if let Ok(turn) = Arc::clone(&self.compute_lock.turn).try_lock_owned() {
                tokio::spawn(self.computed(turn, compute));
            }
            return Ok(last);
        }
        let turn = self.compute_lock.next().await;
        if let Some(last) = self.fresh(now) {
            return Ok(last);
        }
        self.computed(turn, compute).await
    }

    /// The answer, if there is one by the end of `patience`: a new one, else the last one. A new one that comes later is
    /// kept for the next request. One is computed at a time, however many ask.
    pub(super) async fn within(
        &self,
        patience: Duration,
        now: Timestamp,
        compute: impl FnOnce() -> Result<Computed<T>, ReadError> + Send + 'static,
    ) -> Option<Arc<Computed<T>>> {
        if let Some(last) = self.fresh(now) {
            return Some(last);
        }
        let mut news = self.news.subscribe();
        if let Ok(asked) = Arc::clone(&self.asked).try_lock_owned() {
            let (compute_lock, last, tell) =
                (self.compute_lock.clone(), Arc::clone(&self.last), self.news.clone());
            tokio::spawn(async move {
                // A failure has been logged.
                let _ = keep(compute_lock.next().await, compute_lock.log, last, compute).await;
                drop(asked);
                tell.send_replace(());
            });
        }
        let last = self.large(OLDEST, now);
        if last.is_some() {
            return last;
        }
        // A computation that ended before the subscription sends no news: the timeout ends the wait.
        let _ = timeout(patience, news.changed()).await;
        self.last().filter(|last| last.is_younger_than(OLDEST, now))
    }

    /// The time of the last answer.
    pub(super) fn computed_at(&self) -> Option<Timestamp> {
        self.last().map(|last| last.at)
    }

    /// Keeps an answer from ahead of the first request, where it took many rows. Only in a turn: it replaces any other.
    pub(super) fn keep_ahead(&self, computed: Computed<T>) {
        if computed.rows > FEW_ROWS {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(computed));
        }
    }

    fn computed(
        &self,
        turn: OwnedMutexGuard<()>,
        compute: impl FnOnce() -> Result<Computed<T>, ReadError> + Send + 'static,
    ) -> impl Future<Output = Result<Arc<Computed<T>>, ApiError>> + Send + 'static {
        keep(turn, self.compute_lock.log.clone(), Arc::clone(&self.last), compute)
    }

    fn fresh(&self, now: Timestamp) -> Option<Arc<Computed<T>>> {
        if self.for_a_minute {
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

/// Computes an answer in a turn, and keeps it as the last one.
fn keep<T: Send + Sync + 'static>(
    turn: OwnedMutexGuard<()>,
    log: ReadLog,
    last: Arc<Mutex<Option<Arc<Computed<T>>>>>,
    compute: impl FnOnce() -> Result<Computed<T>, ReadError> + Send + 'static,
) -> impl Future<Output = Result<Arc<Computed<T>>, ApiError>> + Send + 'static {
    apart(turn, log, move || {
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
    async fn what_is_computed_from_few_rows_is_computed_whenever_it_is_asked_for() {
        let kept = CachedFigures::new(false, ComputeLock::default());
        assert_eq!((get(&kept, 1, FEW_ROWS).await, get(&kept, 2, FEW_ROWS).await), (1, 2));
        let kept = CachedFigures::new(true, ComputeLock::default());
        assert_eq!((get(&kept, 1, 0).await, get(&kept, 1, 0).await, get(&kept, 2, 0).await), (1, 1, 2));
        assert_eq!(get(&kept, 1, 0).await, 1, "the clock was set back");
    }

    #[tokio::test]
    async fn what_is_computed_from_many_is_computed_beside_the_requests() {
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
        assert_eq!(get(&kept, 40, many).await, 40, "what is too old is given to nobody");
    }

    async fn within(
        kept: &CachedFigures<u64>,
        patience: Duration,
        minute: u64,
        compute: impl FnOnce() -> u64 + Send + 'static,
    ) -> Option<u64> {
        let compute = move || Ok(Computed { at: at(minute), rows: 0, answer: compute() });
        kept.within(patience, at(minute), compute).await.map(|computed| computed.answer)
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
        drop(kept.asked.lock().await);
        assert_eq!(within(&kept, none, 1, || unreachable!()).await, Some(1), "it came later");

        let busy = kept.compute_lock.next().await;
        assert_eq!(within(&kept, none, 5, || 5).await, Some(1), "the last one, while others compute");
        assert_eq!(within(&kept, none, 20, || 20).await, None, "what is too old is given to nobody");
        drop(busy);
        drop(kept.asked.lock().await);
        assert_eq!(within(&kept, Duration::MAX, 20, || 20).await, Some(20), "it is waited for");
    }

    #[tokio::test]
    async fn nobody_waits_for_an_answer_that_failed() {
        let kept = CachedFigures::<u64>::new(true, ComputeLock::default());
        let answer = kept.within(Duration::MAX, at(1), || Err(ReadError::Cursor)).await;
        assert!(answer.is_none());
    }

    #[tokio::test]
    async fn only_what_took_many_rows_is_kept_ahead() {
        let kept = CachedFigures::new(true, ComputeLock::default());
        kept.keep_ahead(Computed { at: at(1), rows: 5, answer: 7 });
        assert_eq!(get(&kept, 1, 0).await, 1);
        kept.keep_ahead(Computed { at: at(1), rows: FEW_ROWS + 1, answer: 7 });
        assert_eq!(get(&kept, 1, 0).await, 7);
    }
}
