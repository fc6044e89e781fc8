//! The lanes of one backend, shared by its loop and its attempts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::lane::LaneState;
use crate::backend::Backend;
use crate::domain::forwarding::Destination;
use crate::domain::lane::{Lane, LaneHealth};
use crate::store::Store;

/// One lane of the backend. Its copies share one state.
#[derive(Debug, Clone)]
pub(super) struct SharedLane {
    /// The credential that it stands for.
    pub(super) lane: Lane,
    state: Arc<Mutex<LaneState>>,
}

impl SharedLane {
    /// Works with the state.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut LaneState) -> T) -> T {
        work(&mut self.lock())
    }

    /// Function that returns the current health.
    pub(super) fn health(&self) -> impl Fn() -> LaneHealth + Send + 'static {
        let shared = self.clone();
        move || shared.lock().health().clone()
    }

    /// A panic elsewhere leaves plain values behind, which are whole at every moment.
    fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One [`SharedLane`] for each credential.
pub(super) struct Lanes {
    all: Vec<SharedLane>,
    /// Takes turns, so that no lane waits for another one's backlog.
    is_reversed: AtomicBool,
    /// Number of times that a person asked for a probe, as far as the lanes know.
    probes_asked_for: AtomicU64,
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
            all.push(SharedLane { lane: *lane, state: Arc::new(Mutex::new(LaneState::left(health))) });
        }
        Self { all, is_reversed: AtomicBool::default(), probes_asked_for: AtomicU64::default() }
    }

    /// All of them, another one first each time.
    pub(super) fn in_turn(&self) -> Vec<SharedLane> {
        let mut lanes = self.all.clone();
        if self.is_reversed.fetch_xor(true, Ordering::Relaxed) {
            lanes.reverse();
        }
        lanes
    }

    /// Works with all of them.
    pub(super) fn each(&self, mut work: impl FnMut(&mut LaneState)) {
        self.all.iter().for_each(|lane| lane.with(&mut work));
    }

    /// `true` if a person asked for a probe since the last call.
    pub(super) fn is_news(&self, probes_asked_for: u64) -> bool {
        self.probes_asked_for.swap(probes_asked_for, Ordering::Relaxed) != probes_asked_for
    }
}
