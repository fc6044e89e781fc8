//! Channels from transactions to the forwarding loops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Number of retry commands that people have given so far for each backend, by the backend's name.
pub type RetryRequests = BTreeMap<String, u64>;

/// Channels that report changes of transactions. Clones share them.
#[derive(Clone)]
pub(in crate::store) struct ChangeChannels {
    /// Sends when the outbox may have new rows.
    pub(in crate::store) changed: watch::Sender<()>,
    /// Sends when a person wants rows retried at once.
    pub(in crate::store) request_retry: watch::Sender<RetryRequests>,
    /// `true` while every answered event is folded into its failure.
    pub(in crate::store) is_folded: watch::Sender<bool>,
    /// Number of commits of events that another writer folds.
    pub(in crate::store) stored: Arc<AtomicU64>,
}

impl ChangeChannels {
    /// Reports that events were stored that are to be folded by another writer, before anybody is answered.
    pub(in crate::store) fn stored(&self) {
        self.stored.fetch_add(1, Ordering::AcqRel);
        self.folded(false);
    }

    /// Number of calls of [`Self::stored`].
    pub(in crate::store) fn stored_so_far(&self) -> u64 {
        self.stored.load(Ordering::Acquire)
    }

    /// Reports that nothing was left to fold when the number of calls of [`Self::stored`] was this.
    pub(in crate::store) fn folded_at(&self, stored: u64) {
        // In one step, so that a call of `stored` in between is not overwritten.
        self.is_folded.send_if_modified(|is_folded| {
            let is_up_to_date = self.stored_so_far() == stored;
            std::mem::replace(is_folded, is_up_to_date) != is_up_to_date
        });
    }

    /// Reports if every stored event is folded.
    pub(in crate::store) fn folded(&self, all: bool) {
        self.is_folded.send_if_modified(|is_folded| std::mem::replace(is_folded, all) != all);
    }

    /// Reports the changes of a committed transaction.
    pub(in crate::store) fn send(&self, outbox_changed: bool, retry_requests: BTreeSet<String>) {
        if outbox_changed {
            self.changed.send_replace(());
        }
        if !retry_requests.is_empty() {
            self.request_retry.send_modify(|all| {
                for backend in retry_requests {
                    *all.entry(backend).or_default() += 1;
                }
            });
        }
    }
}
