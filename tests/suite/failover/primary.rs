//! The primary is killed while webhooks come, and its standby is promoted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::daemon::{Client, Daemon, STORED};
use crate::harness::PATIENCE;
use crate::kill_under_load::number;
use crate::postgres::{Network, Pair};

/// Number of failovers. `ROUNDS=100` makes more.
const ROUNDS: u64 = 3;
/// Number of clients that deliver at once.
const CLIENTS: usize = 8;
/// Largest number of answers between two failovers.
const ANSWERS: usize = 200;

/// Incidents whose webhook was answered 202.
type Acknowledged = Arc<Mutex<BTreeSet<String>>>;

/// Clients that deliver webhooks one after the other. Like PagerDuty, they send a webhook again until it is acknowledged.
struct Clients {
    acknowledged: Acknowledged,
    count: watch::Receiver<usize>,
    is_over: watch::Sender<bool>,
    running: JoinSet<()>,
}

impl Clients {
    fn start(client: &Client) -> Self {
        let (acknowledged, (counted, count)) = (Acknowledged::default(), watch::channel(0));
        let (is_over, over) = watch::channel(false);
        let mut running = JoinSet::new();
        for number in 0..CLIENTS {
            let (client, acknowledged, counted) =
                (client.clone(), Arc::clone(&acknowledged), counted.clone());
            let over = over.clone();
            running.spawn(async move {
                for n in 0.. {
                    let incident = format!("Q{number}X{n}");
                    while client.deliver(&incident).await != 202 {}
                    acknowledged.lock().unwrap().insert(incident);
                    counted.send_modify(|count| *count += 1);
                    if *over.borrow() {
                        return;
                    }
                }
            });
        }
        Self { acknowledged, count, is_over, running }
    }

    /// Waits until this number of webhooks more is acknowledged.
    async fn acknowledged_more(&mut self, more: usize) {
        let enough = *self.count.borrow() + more;
        let enough = self.count.wait_for(|count| *count >= enough);
        tokio::time::timeout(3 * PATIENCE, enough).await.expect("no webhook is acknowledged").unwrap();
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Lets each client finish. Returns all that was delivered.
    async fn finish(self) -> BTreeSet<String> {
        self.is_over.send_replace(true);
        tokio::time::timeout(3 * PATIENCE, self.running.join_all()).await.expect("a webhook is never taken");
        Arc::into_inner(self.acknowledged).unwrap().into_inner().unwrap()
    }
}

fn stored(pair: &Pair) -> BTreeSet<String> {
    pair.primary().ask(STORED).lines().map(str::to_owned).collect()
}

/// Kills the primary of a synchronous pair again and again. `more` is appended to the daemon's configuration.
async fn kill_primaries(more: &str) {
    let Some(mut pair) = Pair::start(true) else { return };
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    println!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let daemon = Daemon::start(&pair.url(), more);
    let mut clients = Clients::start(&daemon.client());
    let mut gaps = Vec::new();
    for round in 0..number("ROUNDS").unwrap_or(ROUNDS) {
        clients.acknowledged_more(rng.usize(..ANSWERS)).await;
        pair.kill_primary();
        pair.promote();
        let (acknowledged, stored) = (clients.acknowledged(), stored(&pair));
        let lost: Vec<&String> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "round {round}: {} acknowledged webhooks are lost: {lost:?}", lost.len());
        pair.rebuild();
        let rebuilt_at = Instant::now();
        clients.acknowledged_more(1).await;
        gaps.push(rebuilt_at.elapsed());
    }
    let delivered = clients.finish().await;
    assert_eq!(stored(&pair), delivered);
    let longest = gaps.iter().max();
    println!("{} webhooks; longest time from a new standby to an answer: {longest:?}", delivered.len());
    daemon.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_primary_has_everything_that_was_acknowledged() {
    kill_primaries("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_primary_has_everything_that_was_acknowledged_as_replicated() {
    kill_primaries("durable = \"replicated\"\n").await;
}

/// The control: the check sees a loss where there is one.
#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_standby_loses_what_was_acknowledged() {
    let Some(mut pair) = Pair::start(false) else { return };
    let daemon = Daemon::start(&pair.url(), "");
    let mut clients = Clients::start(&daemon.client());
    clients.acknowledged_more(10).await;
    pair.link().set(Network::Stalls);
    clients.acknowledged_more(10).await;
    let killed_at = Instant::now();
    pair.kill_primary();
    pair.promote();
    let lost = clients.acknowledged().difference(&stored(&pair)).count();
    // The clients may have had answers of the new primary since.
    assert!(lost > 0);
    clients.acknowledged_more(CLIENTS).await;
    println!("{lost} webhooks are lost; others were taken {:?} after the kill", killed_at.elapsed());
}
