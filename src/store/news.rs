//! The news that a transaction has for the loops that forward.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

/// By the name of a backend: how often a person had its rows tried again at once.
pub type Hurried = BTreeMap<String, u64>;

/// Channels that tell others what transactions changed.
pub(super) struct News {
    /// The outbox may hold something new.
    pub(super) changed: watch::Sender<()>,
    /// A person wants rows tried again at once.
    pub(super) hurry: watch::Sender<Hurried>,
}

impl News {
    /// Tells what a transaction changed, once it is committed.
    pub(super) fn tell(&self, outbox_changed: bool, hurried: BTreeSet<String>) {
        if outbox_changed {
            self.changed.send_replace(());
        }
        if !hurried.is_empty() {
            self.hurry.send_modify(|all| {
                for backend in hurried {
                    *all.entry(backend).or_default() += 1;
                }
            });
        }
    }
}
