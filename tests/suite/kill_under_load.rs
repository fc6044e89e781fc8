//! `kill -9` at any moment under load, while the backend fails at random. No acknowledged event is lost, nothing counts
//! twice, and in the end the backend has the newest revision of each failure.
//!
//! `KILLS=10000 cargo test killed_under_load` kills the program 10,000 times. `SEED=` repeats a run, except for the
//! moments of the kills, which depend on the machine. A kill leaves the page cache intact, so this test shows nothing
//! about syncs.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::engine::ports_and_store;
use crate::harness::{KEY, PATIENCE, client};
use crate::histories::{compare, listed};
use crate::load::{Deliverer, Stage};
use crate::model::{Configured, IncidentEvent};
use crate::process::{Listening, Process};
use crate::sent_requests::{drain, last_accepted, received_exactly, received_in_order};
use crate::store_probe::Probe;
use crate::unreliable::{Receipt, TIMEOUT_MILLIS, Unreliable};

/// Number of kills that share a store, so that a long run needs no more disk space than a short one.
const KILLS_IN_A_STORE: usize = 100;
/// Numbers of clients that deliver to a store at once. Many clients make groups that are folded later, so that nearly
/// every failure is sent once, in its final state. A few leave time to send each revision, which tests their order.
const DELIVERERS: [usize; 2] = [2, 24];

/// Defaults of `[failure]`.
pub(crate) const CONFIGURED: Configured = Configured {
    start: "created",
    active_time: false,
    first_service: false,
    min_duration_millis: 0,
    rules: false,
};

/// A number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_nothing_is_lost_and_nothing_counts_twice() {
    let kills = usize::try_from(number("KILLS").unwrap_or(50)).unwrap();
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut done = 0;
    while done < kills {
        let kills_here = KILLS_IN_A_STORE.min(kills - done);
        let counted = Round::play(rng.fork(), kills_here).await;
        done += kills_here;
        if done % KILLS_IN_A_STORE == 0 {
            // Not captured by the test harness, which would print it only at the end.
            let _ = writeln!(std::io::stderr(), "SEED={seed}: {done} kills; the last store: {counted}");
        }
    }
}

/// One store from its first start to the last check.
pub(crate) struct Round {
    pub(crate) lives: Vec<Vec<IncidentEvent>>,
    pub(crate) received: HashMap<String, Vec<Receipt>>,
}

impl Round {
    async fn play(mut rng: Rng, kills: usize) -> String {
        let folder = tempfile::tempdir().unwrap();
        let backend = Unreliable::start(rng.fork()).await;
        let config = configuration(folder.path(), &backend);
        let store = folder.path().join("pagerduty-dora.db");
        let (stage, _) = watch::channel(Stage::default());
        let (answered, mut answers) = watch::channel(0);
        let mut deliverers = JoinSet::new();
        for n in 0..DELIVERERS[rng.usize(..DELIVERERS.len())] {
            let (name, stage) = (format!("D{n:02}"), stage.subscribe());
            let (rng, answered) = (rng.fork(), answered.clone());
            let refused = Arc::default();
            deliverers.spawn(Deliverer { name, rng, client: client(), stage, answered, refused }.run());
        }
        for _ in 0..kills {
            let mut process = Process::spawn(&config);
            if rng.u8(..8) == 0 {
                process.ready(Duration::from_micros(rng.u64(..40_000)));
            } else {
                let listening = process.ready(PATIENCE).expect("the program ended early");
                announce(&stage, listening, false);
                // The kill comes just after an answer, or at any moment.
                let enough = *answers.borrow() + rng.u64(..200);
                let moment = Duration::from_micros(rng.u64(..200_000));
                let _ = tokio::time::timeout(moment, answers.wait_for(|answered| *answered >= enough)).await;
            }
            no_panic(&process.kill());
        }
        backend.becomes_reliable();
        let (process, listening) = Process::start(&config);
        announce(&stage, listening, true);
        let everything_delivered = async { deliverers.join_all().await.into_iter().flatten().collect() };
        let lives = tokio::time::timeout(3 * PATIENCE, everything_delivered)
            .await
            .expect("an event is never acknowledged");
        tokio::time::timeout(3 * PATIENCE, drain(listening, &store))
            .await
            .expect("the outbox is never drained");
        no_panic(&process.terminate());
        let round = Self { lives, received: backend.received() };
        round.check_events(&store);
        round.check_failures(&store)
    }

    /// Checks that each event is stored once, with the bytes that were sent, and nothing else.
    pub(crate) fn check_events(&self, store: &Path) {
        let probe = Probe::open(store);
        probe.assert_intact();
        assert_eq!(probe.quarantined(), 0);
        let mut stored = probe.event_bodies();
        let mut acknowledged: Vec<_> =
            self.lives.iter().flatten().map(|event| (event.id.clone(), event.body())).collect();
        stored.sort_unstable();
        acknowledged.sort_unstable();
        assert!(
            stored == acknowledged,
            "{} events stored, {} acknowledged",
            stored.len(),
            acknowledged.len()
        );
    }

    /// Checks that each failure agrees with the model, and that the backend has the same.
    pub(crate) fn check_failures(&self, store: &Path) -> String {
        let failures = listed(store);
        let revisions = Probe::open(store).revisions();
        assert_eq!(failures.len(), self.lives.len());
        assert_eq!(self.received.len(), self.lives.len(), "failures that the backend has");
        let mut requests = 0;
        for life in &self.lives {
            compare(life, CONFIGURED, &failures).unwrap();
            let incident = &life[0].incident;
            let id = format!("pagerduty:{incident}");
            let receipts = &self.received[&id];
            received_in_order(&id, receipts, &revisions[&id]);
            received_exactly(last_accepted(receipts), &failures[incident]);
            requests += receipts.iter().map(|receipt| receipt.times).sum::<u32>();
        }
        let events: usize = self.lives.iter().map(Vec::len).sum();
        format!("{events} events, {} failures, sent in {requests} requests", self.lives.len())
    }
}

fn announce(stage: &watch::Sender<Stage>, listening: Listening, is_over: bool) {
    stage.send_modify(|stage| *stage = Stage { start: stage.start + 1, listening: vec![listening], is_over });
}

pub(crate) fn no_panic(stderr: &str) {
    assert!(!stderr.contains("panicked"), "{stderr}");
}

pub(crate) fn configuration(folder: &Path, backend: &Unreliable) -> std::path::PathBuf {
    let file = folder.join("config.toml");
    let text = format!(
        "{}[[backend]]\nname = \"metrics\"\n\
         kind = \"datadog\"\nurl = \"http://{}\"\napi_key = {{ value = \"{KEY}\" }}\ntimeout = \"{TIMEOUT_MILLIS}ms\"\n",
        ports_and_store(folder),
        backend.address
    );
    std::fs::write(&file, text).unwrap();
    file
}
