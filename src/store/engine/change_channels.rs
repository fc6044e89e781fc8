//! Channels from transactions to the forwarding loops.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

/// Number of retry commands that people have given so far for each backend, by the backend's name.
pub type RetryRequests = BTreeMap<String, u64>;

/// Channels that report changes of transactions.
pub(in crate::store) struct ChangeChannels {
    /// Sends when the outbox may have new rows.
    pub(in crate::store) changed: watch::Sender<()>,
    /// Sends when a person wants rows retried at once.
    pub(in crate::store) request_retry: watch::Sender<RetryRequests>,
    /// `true` while every answered event is folded into its failure.
    pub(in crate::store) is_folded: watch::Sender<bool>,
}

impl ChangeChannels {
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
