//! Wiring of a backfill, for the daemon and for the command.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{Config, PagerDutyApiSection};
use crate::domain::backfill::{BackfillError, BackfillOrder, BackfillStep};
use crate::http::DoStep;
use crate::reconcile::Backfill;
use crate::sources::pagerduty::rest::RestClient;
use crate::store::Store;

/// A backfill of this store.
pub(crate) fn backfill(config: &Config, client: RestClient, store: Store, clock: Arc<dyn Clock>) -> Backfill {
    let subscription = config.pagerduty.api.as_ref().and_then(PagerDutyApiSection::subscription_id);
    Backfill::new(client, store, clock, (subscription, config.pagerduty.path.as_str().to_owned()))
}

/// The steps of a backfill, for the admin listener.
pub(super) fn steps(
    backfill: Backfill,
    thread: Handle,
    stop: watch::Receiver<bool>,
) -> DoStep<BackfillOrder, BackfillStep> {
    let backfill = Arc::new(backfill);
    on_thread(
        move |order| {
            let backfill = Arc::clone(&backfill);
            async move { backfill.step(order).await }
        },
        thread,
        stop,
    )
}

/// Steps that run on another thread.
pub(super) fn on_thread<O: 'static, S: Send + 'static, F>(
    work: impl Fn(O) -> F + Send + Sync + 'static,
    thread: Handle,
    stop: watch::Receiver<bool>,
) -> DoStep<O, S>
where
    F: Future<Output = Result<S, BackfillError>> + Send + 'static,
{
    Box::new(move |order| {
        let mut stop = stop.clone();
        // A set, because it aborts its task when the caller goes away.
        let mut task = JoinSet::new();
        task.spawn_on(work(order), &thread);
        Box::pin(async move {
            tokio::select! {
                Some(done) = task.join_next() => {
                    done.unwrap_or_else(|panicked| Err(BackfillError::NoAnswer(panicked.to_string())))
                }
                // An error means that the sender of the signal was dropped, which counts as the signal, too.
                _ = stop.wait_for(|stop| *stop) => {
                    Err(BackfillError::NoAnswer("the daemon is stopping".to_owned()))
                }
            }
        })
    })
}
