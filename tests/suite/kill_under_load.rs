//! `kill -9` at any moment under load, while the backend fails at random: nothing that was acknowledged is lost,
//! nothing counts twice, and no revision is ever sent in two ways.
//!
//! `KILLS=10000 cargo test killed_under_load` kills that often; `SEED=` draws the same again, as far as the moments
//! of a machine can be drawn. A kill leaves the page cache alone, so this shows nothing about syncs.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use pagerduty_dora::domain::timestamp::Timestamp;
use rusqlite::Connection;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{KEY, PATIENCE, client};
use crate::histories::{compare, listed};
use crate::load::{Deliverer, Stage};
use crate::model::{Configured, Told};
use crate::process::{Listening, Process};
use crate::unreliable::{Receipt, TIMEOUT_MILLIS, Unreliable};

/// As many kills share a store, so that a long run needs no more room than a short one.
const KILLS_IN_A_STORE: usize = 100;
/// Enough for groups that are folded later.
const DELIVERERS: usize = 24;

/// What `failure.*` is where nothing is configured.
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
            // Past the test harness, which would keep it to the end of a night.
            let _ = writeln!(std::io::stderr(), "SEED={seed}: {done} kills; the last store: {counted}");
        }
    }
}

/// One store from its first start to the last check.
struct Round {
    lives: Vec<Vec<Told>>,
    received: HashMap<String, Vec<Receipt>>,
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
        for n in 0..DELIVERERS {
            let (name, stage) = (format!("D{n:02}"), stage.subscribe());
            let (rng, answered) = (rng.fork(), answered.clone());
            deliverers.spawn(Deliverer { name, rng, client: client(), stage, answered }.run());
        }
        for _ in 0..kills {
            let mut process = Process::spawn(&config);
            if rng.u8(..8) == 0 {
                process.ready(Duration::from_micros(rng.u64(..40_000)));
            } else {
                let listening = process.ready(PATIENCE).expect("it ended early");
                announce(&stage, listening, false);
                // Just after an answer, or at any moment.
                let enough = *answers.borrow() + rng.u64(..200);
                let moment = Duration::from_micros(rng.u64(..200_000));
                let _ = tokio::time::timeout(moment, answers.wait_for(|answered| *answered >= enough)).await;
            }
            no_panic(&process.kill());
        }
        backend.becomes_reliable();
        let (process, listening) = Process::start(&config);
        announce(&stage, listening, true);
        let everything_told = async { deliverers.join_all().await.into_iter().flatten().collect() };
        let lives =
            tokio::time::timeout(3 * PATIENCE, everything_told).await.expect("something is never answered");
        tokio::time::timeout(3 * PATIENCE, drain(listening, &store))
            .await
            .expect("the outbox is never drained");
        no_panic(&process.terminate());
        let round = Self { lives, received: backend.received() };
        round.check_events(&store);
        round.check_failures(&store)
    }

    /// Every event is there once, with the bytes that were sent, and nothing else is.
    fn check_events(&self, store: &Path) {
        let db = Connection::open(store).unwrap();
        let intact: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(intact, "ok");
        let quarantined: i64 = db.query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0)).unwrap();
        assert_eq!(quarantined, 0);
        let mut statement = db.prepare("SELECT event_id, body FROM event").unwrap();
        let stored = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let mut stored: Vec<(String, Vec<u8>)> = stored.map(Result::unwrap).collect();
        let mut told: Vec<_> =
            self.lives.iter().flatten().map(|told| (told.id.clone(), told.body())).collect();
        stored.sort_unstable();
        told.sort_unstable();
        assert!(stored == told, "{} events stored, {} acknowledged", stored.len(), told.len());
    }

    /// Every failure is what its life comes to, and the backend was told just that.
    fn check_failures(&self, store: &Path) -> String {
        let failures = listed(store);
        let revisions = revisions(store);
        assert_eq!(failures.len(), self.lives.len());
        assert_eq!(self.received.len(), self.lives.len(), "failures that the backend knows");
        let mut requests = 0;
        for life in &self.lives {
            compare(life, CONFIGURED, &failures).unwrap();
            let incident = &life[0].incident;
            let id = format!("pagerduty:{incident}");
            let receipts = &self.received[&id];
            told_in_order(&id, receipts, &revisions[&id]);
            let held = receipts.iter().rfind(|receipt| receipt.is_taken).expect("taken");
            assert_eq!(held.body, revisions[&id].last().unwrap().body, "{id}: not the latest is held");
            told_exactly(&held.body, &failures[incident]);
            requests += receipts.iter().map(|receipt| receipt.times).sum::<u32>();
        }
        let events: usize = self.lives.iter().map(Vec::len).sum();
        format!("{events} events, {} failures, told in {requests} requests", self.lives.len())
    }
}

fn announce(stage: &watch::Sender<Stage>, listening: Listening, is_over: bool) {
    stage.send_modify(|stage| *stage = Stage { start: stage.start + 1, listening: Some(listening), is_over });
}

pub(crate) fn no_panic(said: &str) {
    assert!(!said.contains("panicked"), "{said}");
}

pub(crate) fn configuration(folder: &Path, backend: &Unreliable) -> std::path::PathBuf {
    let file = folder.join("config.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[[backend]]\nname = \"metrics\"\n\
         kind = \"datadog\"\nurl = \"http://{}\"\napi_key = {{ value = \"{KEY}\" }}\ntimeout = \"{TIMEOUT_MILLIS}ms\"\n",
        backend.address
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// Waits until all is folded and told; what waits for its next attempt is tried at once.
pub(crate) async fn drain(listening: Listening, store: &Path) {
    const IS_DRAINED: &str = "SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE state = 'pending')
        AND (SELECT max(id) FROM event) <= (SELECT up_to FROM folded)";
    let (db, client) = (Connection::open(store).unwrap(), client());
    let outbox = format!("http://{}/api/v1/outbox", listening.admin);
    while !db.query_row(IS_DRAINED, [], |row| row.get::<_, bool>(0)).unwrap() {
        let page = client.get(format!("{outbox}?state=pending&limit=1000")).send().await.unwrap();
        let page: Value = serde_json::from_slice(&page.bytes().await.unwrap()).unwrap();
        for row in page["rows"].as_array().unwrap() {
            // Refused where it is under way, or has arrived meanwhile.
            client.post(format!("{outbox}/{}/retry", row["id"])).send().await.unwrap();
        }
    }
}

/// A row of the outbox.
pub(crate) struct Revision {
    state: String,
    attempts: u32,
    pub(crate) body: Vec<u8>,
}

/// The revisions of each failure, in order.
pub(crate) fn revisions(store: &Path) -> BTreeMap<String, Vec<Revision>> {
    let db = Connection::open(store).unwrap();
    let mut statement = db
        .prepare(
            "SELECT failure_id, o.state, attempts, body FROM outbox o JOIN failure f ON f.id = o.failure
            ORDER BY o.failure, o.revision",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, Revision { state: row.get(1)?, attempts: row.get(2)?, body: row.get(3)? }))
    });
    let mut revisions = BTreeMap::<String, Vec<Revision>>::new();
    for (id, revision) in rows.unwrap().map(Result::unwrap) {
        revisions.entry(id).or_default().push(revision);
    }
    revisions
}

/// Each body that the backend got is, byte for byte, that of a revision; they came in order, and no more often than
/// the store knows of attempts.
fn told_in_order(id: &str, receipts: &[Receipt], revisions: &[Revision]) {
    let sent = revisions.iter().filter(|revision| revision.state != "superseded");
    let mut untold = sent.inspect(|revision| assert_eq!(revision.state, "sent", "{id}"));
    for receipt in receipts {
        let revision = untold
            .find(|revision| revision.body == receipt.body)
            .unwrap_or_else(|| panic!("{id}: {} is no revision, or not the next", text(&receipt.body)));
        assert!(receipt.times <= revision.attempts, "{id}: more requests than attempts");
    }
    for superseded in revisions.iter().filter(|revision| revision.state == "superseded") {
        assert_eq!(superseded.attempts, 0, "{id}");
    }
}

/// What the backend holds is the failure: from when, to when, and whose.
pub(crate) fn told_exactly(body: &[u8], failure: &Value) {
    let told: Value = serde_json::from_slice(body).unwrap();
    let told = &told["data"]["attributes"];
    let nanos = |key: &str| Timestamp::parse(failure[key].as_str().unwrap()).unwrap().as_nanos();
    assert_eq!(told["started_at"].as_i64(), Some(nanos("started_at")), "{failure}");
    assert_eq!(told["finished_at"].as_i64(), Some(nanos("finished_at")), "{failure}");
    assert_eq!(told["services"], failure["services"]);
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
