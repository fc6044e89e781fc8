//! Replicas that run, clients that deliver to them, and a backend that fails at random.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::engine::PostgresStore;
use crate::harness::{PATIENCE, client, eventually};
use crate::kill_under_load::{Round, configuration, no_panic};
use crate::load::{Deliverer, Stage};
use crate::model::IncidentEvent;
use crate::process::{Listening, Process};
use crate::sent_requests::drain;
use crate::unreliable::Unreliable;

const REPLICAS: usize = 3;
const DELIVERERS: usize = 2;

/// Replicas that run, and the clients that deliver to them.
pub(super) struct Replicas {
    pub(super) store: PostgresStore,
    running: Vec<Replica>,
    backend: Unreliable,
    stage: watch::Sender<Stage>,
    answers: watch::Receiver<u64>,
    refused: Arc<AtomicU64>,
    deliverers: JoinSet<Vec<Vec<IncidentEvent>>>,
    _folder: TempDir,
}

/// One replica.
pub(super) struct Replica {
    config: PathBuf,
    pub(super) process: Process,
    pub(super) listening: Listening,
}

impl Replica {
    fn start(config: PathBuf) -> Self {
        let (process, listening) = Process::start(&config);
        Self { config, process, listening }
    }

    /// `true` if this replica says that it sends to the backend.
    async fn has_lease(&self) -> bool {
        self.has("leases{backend=\"metrics\"}", 1).await
    }

    /// `true` if a gauge of this replica has this value.
    async fn has(&self, gauge: &str, value: i64) -> bool {
        self.page("/metrics").await.contains(&format!("\npagerduty_dora_{gauge} {value}\n"))
    }

    async fn page(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.listening.admin);
        client().get(url).send().await.unwrap().text().await.unwrap()
    }
}

impl Replicas {
    /// Starts replicas and clients on an empty store.
    pub(super) async fn start(store: PostgresStore, rng: &mut Rng) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Unreliable::start(rng.fork()).await;
        let config = |n| config_of(folder.path(), n, &backend, &store);
        let running = (0..REPLICAS).map(|n| Replica::start(config(n))).collect();
        let (stage, _) = watch::channel(Stage::default());
        let (answered, answers) = watch::channel(0);
        let (refused, mut deliverers) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
        for n in 0..DELIVERERS {
            let (name, stage) = (format!("R{n:02}"), stage.subscribe());
            let (rng, answered, refused) = (rng.fork(), answered.clone(), Arc::clone(&refused));
            deliverers.spawn(Deliverer { name, rng, client: client(), stage, answered, refused }.run());
        }
        let replicas = Self { store, running, backend, stage, answers, refused, deliverers, _folder: folder };
        replicas.announce(&replicas.running, false);
        replicas
    }

    /// Waits until the clients have got this many answers more.
    pub(super) async fn answers(&mut self, more: u64) {
        let enough = *self.answers.borrow() + more;
        let answered = tokio::time::timeout(PATIENCE, self.answers.wait_for(|answered| *answered >= enough));
        answered.await.unwrap_or_else(|_| panic!("{more} answers do not come")).unwrap();
    }

    /// The same, but only for this time.
    pub(super) async fn answers_or(&mut self, more: u64, moment: Duration) {
        let enough = *self.answers.borrow() + more;
        let _ = tokio::time::timeout(moment, self.answers.wait_for(|answered| *answered >= enough)).await;
    }

    /// Takes a replica out. The clients do not know of it.
    pub(super) fn take(&mut self, rng: &mut Rng) -> Replica {
        self.running.swap_remove(rng.usize(..self.running.len()))
    }

    /// Takes the replica out that sends to the backend, and tells the clients to leave it alone.
    pub(super) async fn take_sender(&mut self) -> Replica {
        let sender = self.sender("a replica that sends to the backend").await;
        let sender = self.running.swap_remove(sender);
        self.announce(&self.running, false);
        sender
    }

    /// Waits until one of the replicas sends to the backend.
    pub(super) async fn sender(&self, wanted: &str) -> usize {
        eventually(wanted, async || {
            for (n, replica) in self.running.iter().enumerate() {
                if replica.has_lease().await {
                    return Some(n);
                }
            }
            None
        })
        .await
    }

    /// Waits until a gauge of each replica has this value.
    pub(super) async fn until_all_have(&self, gauge: &str, value: i64) {
        for replica in &self.running {
            let wanted = format!("{gauge} {value}");
            eventually(wanted, async || replica.has(gauge, value).await.then_some(())).await;
        }
    }

    /// A page of one of the replicas.
    pub(super) async fn page(&self, path: &str) -> String {
        self.running[0].page(path).await
    }

    /// Puts a replica back.
    pub(super) fn put_back(&mut self, replica: Replica) {
        self.running.push(replica);
        self.announce(&self.running, false);
    }

    /// Starts a replica again that was killed.
    pub(super) fn start_again(&mut self, killed: Replica) {
        no_panic(&killed.process.kill());
        self.put_back(Replica::start(killed.config));
    }

    fn announce(&self, replicas: &[Replica], is_over: bool) {
        let listening = replicas.iter().map(|replica| replica.listening).collect();
        self.stage.send_modify(|stage| *stage = Stage { start: stage.start + 1, listening, is_over });
    }

    /// Lets the clients finish, waits until everything is sent, and checks everything. Returns a summary.
    pub(super) async fn finish(self) -> String {
        self.backend.becomes_reliable();
        self.announce(&self.running, true);
        let Self { store, running, backend, deliverers, refused, .. } = self;
        let everything_delivered = async { deliverers.join_all().await.into_iter().flatten().collect() };
        let lives = tokio::time::timeout(3 * PATIENCE, everything_delivered);
        let lives = lives.await.expect("an event is never taken");
        let path = store.path();
        let drained = drain(running[0].listening, &path);
        tokio::time::timeout(20 * PATIENCE, drained).await.expect("the outbox is never drained");
        for replica in running {
            no_panic(&replica.process.terminate());
        }
        assert_eq!(refused.load(Ordering::Relaxed), 0, "webhooks that no replica took");
        let round = Round { lives, received: backend.received() };
        round.check_events(&path);
        round.check_failures(&path)
    }
}

/// The configuration of a replica.
fn config_of(folder: &Path, n: usize, backend: &Unreliable, store: &PostgresStore) -> PathBuf {
    let folder = folder.join(format!("replica-{n}"));
    std::fs::create_dir(&folder).unwrap();
    let file = configuration(&folder, backend);
    let text = std::fs::read_to_string(&file).unwrap();
    // The store of one daemon, in place of which all of them have this one.
    let own = text.find("[store]").expect("the configuration names its store");
    let rest = text[own + 1..].find("\n[").map_or("", |next| &text[own + 1 + next..]);
    let store = format!("[store]\nurl = \"{}\"\nreplica = \"r{n}\"\n", store.url());
    std::fs::write(&file, format!("{}{store}{rest}", &text[..own])).unwrap();
    file
}
