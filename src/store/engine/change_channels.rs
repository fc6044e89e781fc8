//! The news that a transaction has for the loops that forward.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

/// Number of times that a person had the rows of each backend tried again at once, by the backend's name.
pub type RetryRequests = BTreeMap<String, u64>;

/// Channels that tell others what transactions changed.
pub(in crate::store) struct ChangeChannels {
    /// The outbox may hold something new.
    pub(in crate::store) changed: watch::Sender<()>,
    /// A person wants rows tried again at once.
    pub(in crate::store) request_retry: watch::Sender<RetryRequests>,
    /// `true` while all failures know all events that were answered.
    pub(in crate::store) is_folded: watch::Sender<bool>,
}

impl ChangeChannels {
    /// Tells if all failures know all events that are kept.
    pub(in crate::store) fn folded(&self, all: bool) {
        self.is_folded.send_if_modified(|is_folded| std::mem::replace(is_folded, all) != all);
    }

    /// Tells what a transaction changed, once it is committed.
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
