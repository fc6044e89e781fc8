//! The lanes of one backend, shared by its loop and its attempts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::lane::Watched;
use crate::backend::Backend;
use crate::domain::forwarding::Destination;
use crate::domain::lane::{Lane, LaneHealth};
use crate::store::Store;

/// One [`Watched`] for each credential.
pub(super) struct Lanes {
    all: Vec<(Lane, Arc<Mutex<Watched>>)>,
    /// Takes turns, so that no lane waits for another one's backlog.
    is_reversed: AtomicBool,
    /// Number of times that a person had rows tried again, as far as the lanes know.
    hurried: AtomicU64,
}

impl Lanes {
    /// Loads the lanes as an earlier process left them: a restart is no reason to ask sooner.
    pub(super) async fn load(backend: &Backend, store: &Store) -> Self {
        let mut all = Vec::new();
        for lane in backend.lanes() {
            let health = store.lane_health(backend.name(), *lane).await.unwrap_or_else(|error| {
                tracing::warn!(backend = backend.name(), %error, "how the backend answered last is not known");
                LaneHealth::default()
            });
            all.push((*lane, Arc::new(Mutex::new(Watched::left(health)))));
        }
        Self { all, is_reversed: AtomicBool::default(), hurried: AtomicU64::default() }
    }

    /// All of them, another one first each time.
    pub(super) fn in_turn(&self) -> Vec<Lane> {
        let mut lanes: Vec<Lane> = self.all.iter().map(|(lane, _)| *lane).collect();
        if self.is_reversed.fetch_xor(true, Ordering::Relaxed) {
            lanes.reverse();
        }
        lanes
    }

    /// Works with one of them.
    pub(super) fn with<T>(&self, lane: Lane, work: impl FnOnce(&mut Watched) -> T) -> T {
        work(&mut lock(self.shared(lane)))
    }

    /// Works with all of them.
    pub(super) fn each(&self, mut work: impl FnMut(&mut Watched)) {
        self.all.iter().for_each(|(_, watched)| work(&mut lock(watched)));
    }

    /// Function that returns the current health of a lane.
    pub(super) fn health(&self, lane: Lane) -> impl Fn() -> LaneHealth + Send + 'static {
        let watched = Arc::clone(self.shared(lane));
        move || lock(&watched).health().clone()
    }

    /// `true` if a person had rows tried again since the last call.
    pub(super) fn is_news(&self, hurried: u64) -> bool {
        self.hurried.swap(hurried, Ordering::Relaxed) != hurried
    }

    fn shared(&self, lane: Lane) -> &Arc<Mutex<Watched>> {
        let found = self.all.iter().find(|(known, _)| *known == lane);
        // Rows of a lane are claimed only for lanes that are there.
        &found.unwrap_or(&self.all[0]).1
    }
}

/// A panic elsewhere leaves plain values behind, which are whole at every moment.
fn lock(watched: &Mutex<Watched>) -> std::sync::MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}
