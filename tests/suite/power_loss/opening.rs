//! Opening and checking the store on a disk after a power loss.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagerduty_dora::backend::{Backend, Outgoing};
use pagerduty_dora::catalog;
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::forwarding::{Destination, Destinations};
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::sources;
use pagerduty_dora::store::{Settings, Store, WriterState};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::disk::Files;
use super::steps::Action;
use crate::store_probe::Found;

/// An incident whose webhooks are all lost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lost {
    /// Id of its failure.
    pub(super) failure: String,
    /// Time of its resolve, in nanoseconds.
    pub(super) resolved_at_ns: i64,
}

/// Promises that the store must keep: webhooks that were answered 202, requests that were sent to the backend, and the
/// lost incidents up to the time up to which the store says that it has all.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    /// Every incident that only PagerDuty's REST API tells of.
    lost: Vec<Lost>,
    /// The bodies of webhooks that were answered 202.
    webhooks: BTreeSet<Arc<[u8]>>,
    /// The requests that were sent to the backend.
    sent: BTreeSet<Arc<[u8]>>,
}

impl Acknowledged {
    /// Nothing but the lost incidents.
    pub(super) fn of(lost: &[Lost]) -> Self {
        Self { lost: lost.to_vec(), ..Self::default() }
    }

    pub(super) fn add(&mut self, action: &Action) {
        match action {
            Action::Acknowledge(body) => self.webhooks.insert(Arc::clone(body)),
            Action::Tell(request) => self.sent.insert(Arc::clone(request)),
            _ => false,
        };
    }
}

/// A machine that is started many times, each time with another disk.
pub(super) struct Machine {
    folder: TempDir,
    store: PathBuf,
    policy: Arc<Policy>,
    destinations: Destinations,
    runtime: Runtime,
    /// Number of times that the program opened the store.
    pub(super) by_program: usize,
    /// Number of these times in which the store had events to fold.
    pub(super) by_program_with_unfolded: usize,
    /// Number of lost incidents that stores had, as the time in them said they should.
    pub(super) reconciled: usize,
    /// Number of lost incidents that stores had before the time in them said so.
    pub(super) ahead: usize,
}

impl Machine {
    pub(super) fn new(config: &Config) -> Self {
        let runtime = Builder::new_current_thread().build().unwrap();
        let backends = config
            .backend
            .iter()
            .map(|entry| Arc::new(Backend::from_config(entry, &Outgoing::default()).unwrap()));
        Self {
            folder: new_folder(),
            store: PathBuf::new(),
            policy: Arc::new(catalog::policy(config).unwrap()),
            destinations: backends.map(|backend| backend as Arc<dyn Destination>).collect(),
            runtime,
            by_program: 0,
            by_program_with_unfolded: 0,
            reconciled: 0,
            ahead: 0,
        }
    }

    /// Starts it with this disk, and checks the store. Either SQLite opens the store, or the program, which also brings
    /// it up to date. If there are events to fold, both do.
    pub(super) fn check(
        &mut self,
        disk: &Files,
        promised: &Acknowledged,
        by_program: bool,
    ) -> Result<(), String> {
        if by_program {
            return self.check_by_program(disk, promised);
        }
        self.insert(disk);
        let kept = look(&self.store, promised)?;
        (self.reconciled, self.ahead) = (self.reconciled + kept.reconciled, self.ahead + kept.ahead);
        if kept.unfolded > 0 {
            self.by_program_with_unfolded += 1;
            self.check_by_program(disk, promised)?;
        }
        Ok(())
    }

    fn check_by_program(&mut self, disk: &Files, promised: &Acknowledged) -> Result<(), String> {
        self.insert(disk);
        self.by_program += 1;
        self.open_and_close()?;
        match look(&self.store, promised)? {
            Kept { unfolded: 0, unsent: 0, .. } => Ok(()),
            kept => Err(format!("lost on the way to the backend: {kept:?}")),
        }
    }

    /// Writes the disk to a new folder, because a thread that failed to open the last store may still use the old one.
    fn insert(&mut self, disk: &Files) {
        self.folder = new_folder();
        self.store = self.folder.path().join("store.db");
        for (name, content) in disk {
            std::fs::write(self.folder.path().join(&**name), content).unwrap();
        }
    }

    /// Opens and closes the store, as `run` and every command that writes do.
    fn open_and_close(&self) -> Result<(), String> {
        let settings = Settings {
            policy: Arc::clone(&self.policy),
            destinations: self.destinations.clone(),
            sources: sources::ALL,
            ..Settings::default()
        };
        let store = Store::open(&self.store, settings).map_err(|error| format!("broken: {error}"))?;
        let mut ended = store.ended();
        drop(store);
        let ended = self.runtime.block_on(ended.wait_for(|ended| *ended != WriterState::Running));
        match &*ended.unwrap() {
            WriterState::Stopped => Ok(()),
            ended => Err(format!("broken: {ended:?}")),
        }
    }
}

/// A folder in memory if possible, because these disks need not survive.
fn new_folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Rows of an intact store that are not processed yet.
#[derive(Debug, Default)]
struct Kept {
    /// Events that belong to no failure.
    unfolded: i64,
    /// Completed failures without a row in the outbox.
    unsent: i64,
    /// Lost incidents that are there, as the store says.
    reconciled: usize,
    /// Lost incidents that are there, though the store does not say so yet.
    ahead: usize,
}

/// Reads the store. The error says that the store is damaged, or lacks something that was promised.
fn look(store: &Path, promised: &Acknowledged) -> Result<Kept, String> {
    let found = Found::read(store).map_err(|error| format!("broken: {error}"))?;
    if found.integrity != "ok" {
        return Err(format!("broken: {}", found.integrity));
    }
    if found.schema == 0 {
        let nothing = promised.webhooks.is_empty() && promised.sent.is_empty();
        return if nothing { Ok(Kept::default()) } else { Err("lost: everything".to_owned()) };
    }
    let Found { kept, attempted, unfolded, without_row, reconciled_up_to_ns, read, .. } = found;
    let lost = promised.webhooks.iter().filter(|body| !kept.contains_key(&***body)).count();
    let forgotten = promised.sent.iter().filter(|request| !attempted.contains_key(&***request)).count();
    let twice = kept.values().filter(|count| **count > 1).count();
    if lost + forgotten + twice > 0 {
        return Err(format!("lost: {lost} events, {forgotten} requests; {twice} events are there twice"));
    }
    let (mut reconciled, mut ahead) = (0, 0);
    for Lost { failure, resolved_at_ns } in &promised.lost {
        // A trigger and a resolve.
        let is_there = read.get(failure).is_some_and(|events| *events >= 2);
        let is_promised = *resolved_at_ns <= reconciled_up_to_ns;
        // Events that are stored and not folded are not counted yet. The program folds them when it opens the store.
        if is_promised && !is_there && unfolded == 0 {
            return Err(format!("lost: {failure}, resolved before {reconciled_up_to_ns}, was never read"));
        }
        reconciled += usize::from(is_promised);
        ahead += usize::from(is_there && !is_promised);
    }
    Ok(Kept { unfolded, unsent: without_row, reconciled, ahead })
}
