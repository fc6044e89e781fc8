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
    /// Credential of the lane.
    pub(super) lane: Lane,
    state: Arc<Mutex<LaneState>>,
}

impl SharedLane {
    /// Calls `work` with the state.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut LaneState) -> T) -> T {
        work(&mut self.lock())
    }

    /// Function that returns the current health.
    pub(super) fn health(&self) -> impl Fn() -> LaneHealth + Send + 'static {
        let shared = self.clone();
        move || shared.lock().health().clone()
    }

    /// Locks the state. A panic elsewhere leaves its plain values whole.
    fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One [`SharedLane`] for each credential.
pub(super) struct Lanes {
    all: Vec<SharedLane>,
    /// Order of the next [`Self::in_turn`]. It alternates, so that no lane waits for the backlog of another.
    is_reversed: AtomicBool,
    /// Number of probes that people had requested at the last call of `has_new_request`.
    probe_requests: AtomicU64,
}

impl Lanes {
    /// Loads the lanes as an earlier process saved them, so that a restart does not shorten a wait.
    pub(super) async fn load(backend: &Backend, store: &Store) -> Self {
        let mut all = Vec::new();
        for lane in backend.lanes() {
            let health = store.lane_health(backend.name(), *lane).await.unwrap_or_else(|error| {
                let backend = backend.name();
                tracing::warn!(backend, %error, "the saved state of the backend could not be read");
                LaneHealth::default()
            });
            all.push(SharedLane { lane: *lane, state: Arc::new(Mutex::new(LaneState::from_saved(health))) });
        }
        Self { all, is_reversed: AtomicBool::default(), probe_requests: AtomicU64::default() }
    }

    /// All lanes. Each call begins with another lane.
    pub(super) fn in_turn(&self) -> Vec<SharedLane> {
        let mut lanes = self.all.clone();
        if self.is_reversed.fetch_xor(true, Ordering::Relaxed) {
            lanes.reverse();
        }
        lanes
    }

    /// Calls `work` with the state of each lane.
    pub(super) fn each(&self, mut work: impl FnMut(&mut LaneState)) {
        self.all.iter().for_each(|lane| lane.with(&mut work));
    }

    /// `true` if a person requested a probe since the last call.
    pub(super) fn has_new_request(&self, probe_requests: u64) -> bool {
        self.probe_requests.swap(probe_requests, Ordering::Relaxed) != probe_requests
    }
}
