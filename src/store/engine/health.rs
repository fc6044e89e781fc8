//! The store's health: how long it has not been able to commit, and when it commits again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::address::StoreAddress;
use crate::domain::human_duration::human_duration;
use crate::log_limit::LogLimit;

/// Time after a failed commit for which the store counts as unable to commit, even if small commits succeed meanwhile:
/// on a nearly full disk they do.
const OUTAGE_ENDS_AFTER: Duration = Duration::from_secs(10);
/// The same for a server: after a failover it commits everything again, and a load balancer waits for this.
const SERVER_OUTAGE_ENDS_AFTER: Duration = Duration::from_secs(1);

/// Outage of a store: it has not been able to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOutage {
    /// Message of the database.
    pub error: String,
    /// Time since the first commit that failed.
    pub lasts: Duration,
    /// Webhooks that were answered 503 because of it.
    pub refused_webhooks: usize,
}

/// Health of the store. Clones share it: the writer sets it, and others read it.
#[derive(Clone)]
pub(in crate::store) struct Health(Arc<HealthState>);

struct HealthState {
    /// Time after a failed commit for which the store counts as unable to commit.
    ends_after: Duration,
    outage: Mutex<Option<Outage>>,
    /// Webhooks since the last commit that the writer did not handle in time.
    late_webhooks: AtomicUsize,
    lines: LogLimit,
}

struct Outage {
    began: Instant,
    failed_last: Instant,
    /// Time of the first commit after the last failed one.
    committed_at: Option<Instant>,
    error: String,
    refused_writes: usize,
    refused_webhooks: usize,
}

impl Health {
    /// Health of a store that has not failed yet.
    pub(in crate::store) fn of(address: &StoreAddress) -> Self {
        let ends_after = match address {
            StoreAddress::File(_) => OUTAGE_ENDS_AFTER,
            StoreAddress::Postgres(_) => SERVER_OUTAGE_ENDS_AFTER,
        };
        let (outage, late_webhooks, lines) = (Mutex::default(), AtomicUsize::new(0), LogLimit::default());
        Self(Arc::new(HealthState { ends_after, outage, late_webhooks, lines }))
    }

    /// Records a group that could not be committed, and its number of webhooks.
    pub(in crate::store) fn failed(&self, now: Instant, error: &str, writes: usize, webhooks: usize) {
        let mut outage = self.lock();
        let outage = outage.get_or_insert_with(|| Outage {
            began: now,
            failed_last: now,
            committed_at: None,
            error: String::new(),
            refused_writes: 0,
            refused_webhooks: 0,
        });
        (outage.failed_last, outage.committed_at) = (now, None);
        error.clone_into(&mut outage.error);
        outage.refused_writes += writes;
        outage.refused_webhooks += webhooks + self.0.late_webhooks.swap(0, Ordering::Relaxed);
        if self.0.lines.pass(now).is_some() {
            let lasts = now.saturating_duration_since(outage.began);
            let since = if lasts.as_secs() == 0 {
                String::new()
            } else {
                format!(", and has not been able to for {}", human_duration(lasts.as_secs_f64()))
            };
            tracing::error!(
                error,
                refused_writes = outage.refused_writes,
                refused_webhooks = outage.refused_webhooks,
                "the store cannot commit{since}: webhooks and requests to the event API are answered 503. PagerDuty \
                 resends webhooks for 48 hours; pipelines have to send their requests again"
            );
        }
    }

    /// Records a webhook that the writer did not handle in time.
    pub(in crate::store) fn count_late_webhook(&self) {
        self.0.late_webhooks.fetch_add(1, Ordering::Relaxed);
    }

    /// Records a commit.
    pub(in crate::store) fn committed(&self, now: Instant) {
        let late_webhooks = self.0.late_webhooks.swap(0, Ordering::Relaxed);
        if let Some(outage) = &mut *self.lock() {
            outage.committed_at.get_or_insert(now);
            outage.refused_webhooks += late_webhooks;
        }
    }

    /// Ends an outage that is over, and logs its end.
    pub(in crate::store) fn look(&self, now: Instant) {
        let mut outage = self.lock();
        let ends_after = self.0.ends_after;
        let over =
            outage.take_if(|outage| outage.committed_at.is_some() && !outage.is_recent(now, ends_after));
        if let Some(Outage { began, committed_at: Some(at), refused_writes, refused_webhooks, .. }) = over {
            tracing::info!(
                refused_writes,
                refused_webhooks,
                "the store commits again after {}",
                human_duration(at.saturating_duration_since(began).as_secs_f64())
            );
        }
    }

    /// The present trouble. `None` if no commit has failed lately.
    pub(in crate::store) fn trouble(&self, now: Instant) -> Option<StoreOutage> {
        let outage = self.lock();
        let outage = outage.as_ref().filter(|outage| outage.is_recent(now, self.0.ends_after))?;
        Some(StoreOutage {
            error: outage.error.clone(),
            lasts: now.saturating_duration_since(outage.began),
            refused_webhooks: outage.refused_webhooks,
        })
    }

    /// The outage. A poisoned lock is no problem: its values are plain.
    fn lock(&self) -> MutexGuard<'_, Option<Outage>> {
        self.0.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outage {
    fn is_recent(&self, now: Instant, ends_after: Duration) -> bool {
        now.saturating_duration_since(self.failed_last) < ends_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_in_trouble_until_ten_seconds_after_the_last_failure() {
        let (health, start) = (Health::of(&"store.db".into()), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(health.trouble(at(0)), None);
        health.failed(at(0), "full", 3, 2);
        health.committed(at(1));
        health.failed(at(5), "disk full", 1, 1);
        let trouble = |seconds| StoreOutage {
            error: "disk full".to_owned(),
            lasts: Duration::from_secs(seconds),
            refused_webhooks: 3,
        };
        assert_eq!(health.trouble(at(14)), Some(trouble(14)), "commits in between do not end it");
        assert_eq!(health.trouble(at(15)), None);
        // Nothing was committed yet: the same outage goes on.
        health.look(at(20));
        health.failed(at(21), "disk full", 0, 0);
        assert_eq!(health.trouble(at(22)), Some(trouble(22)));
        health.committed(at(23));
        health.look(at(40));
        health.failed(at(50), "again", 1, 0);
        assert_eq!(health.trouble(at(50)).map(|trouble| trouble.lasts), Some(Duration::ZERO), "a new outage");
    }
}
