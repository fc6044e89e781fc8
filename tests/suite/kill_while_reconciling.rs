//! `kill -9` at any moment while the program compares incidents with PagerDuty's REST API. Half of the webhooks are
//! lost, and the backend fails at random. In the end the store has the same events, and the store and the backend have
//! the same failures, as without kills.
//!
//! `KILLS=1000 cargo test killed_while_it_reconciles` kills the program 1,000 times. `SEED=` repeats a run, except for
//! the moments of the kills, which depend on the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use pagerduty_dora::clock::{Clock, SystemClock};
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::store::Reader;
use serde_json::Value;

use crate::engine::{cases, store_address};
use crate::fake_pagerduty::{FakePagerDuty, Webhook, World};
use crate::harness::PATIENCE;
use crate::histories::listed;
use crate::kill_under_load::{configuration, no_panic, number};
use crate::process::{Listening, Process};
use crate::sent_requests::{drain, last_accepted, received_exactly, received_in_order};
use crate::store_probe::Probe;
use crate::unreliable::Unreliable;

/// Number of kills that share a store, so that a long run needs no more disk space than a short one.
const KILLS_IN_A_STORE: usize = 60;
const KILLS_IN_A_PERIOD: usize = 4;
/// Fewest kills of which some have to come amid a look.
const FEWEST_TO_JUDGE: usize = 20;
/// Part of the account's history between two complete looks. Its changes are older at the look than the time that each
/// look covers again, so that a mark that comes before its events loses them for ever.
const PERIOD: Duration = Duration::from_mins(30);
/// Time in a period at which its webhooks come, and at which the program looks.
const LOOK: Duration = Duration::from_mins(28);
/// Age of the account at the first look. The program's clock is the real one, and the first look covers a day.
const AGE: Duration = Duration::from_hours(20);

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_reconciles_nothing_is_lost_and_nothing_is_stored_twice() {
    let kills = usize::try_from(number("KILLS").unwrap_or_else(|| cases(20))).unwrap();
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..1 << 40));
    eprintln!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let (mut done, mut amid) = (0, 0);
    while done < kills {
        let kills_here = KILLS_IN_A_STORE.min(kills - done);
        let (begin, account) = (SystemClock.now().saturating_sub(AGE), rng.u64(..1 << 40));
        let run = Run { begin, seed: account, periods: kills_here.div_ceil(KILLS_IN_A_PERIOD) };
        let whole = run.play(0).await;
        let killed = run.play(kills_here).await;
        same(&killed.events, &whole.events);
        assert_eq!(killed.failures, whole.failures);
        (done, amid) = (done + kills_here, amid + killed.amid);
        if kills > KILLS_IN_A_STORE {
            // Not captured by the test harness, which would print it only at the end.
            let _ = writeln!(std::io::stderr(), "SEED={seed}: {done} kills, {amid} of them amid a look");
        }
    }
    // A few of them may all come before a look or after it.
    assert!(kills < FEWEST_TO_JUDGE || amid * 10 >= kills, "only {amid} of {kills} kills came amid a look");
}

/// A part of the test: an account, whose history follows from the seed.
#[derive(Clone, Copy)]
struct Run {
    begin: Timestamp,
    seed: u64,
    periods: usize,
}

/// The end of a run.
struct End {
    /// Ids of the stored events.
    events: BTreeSet<String>,
    /// Failures by incident.
    failures: BTreeMap<String, Value>,
    /// Number of kills after the first request of a look and before its end.
    amid: usize,
}

impl Run {
    /// Lets the account live. In each period the program misses some webhooks, is killed some times, and ends a look.
    async fn play(self, kills: usize) -> End {
        let mut moments = Rng::with_seed(self.seed);
        let backend = Unreliable::start(moments.fork()).await;
        let mut account = Account::open(self);
        let pagerduty = FakePagerDuty::start(account.world.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let program = Program::of(folder.path(), &backend, &pagerduty);
        let (mut process, mut listening) = program.look(&account.world).await;
        let (mut left, mut amid) = (kills, 0);
        for _ in 0..self.periods {
            for webhook in account.live() {
                assert_eq!(listening.deliver(&webhook.body).await, 202);
            }
            for _ in 0..left.min(KILLS_IN_A_PERIOD) {
                no_panic(&process.kill());
                let asked = pagerduty.requests().len();
                process = Process::spawn(&program.config);
                if moments.u8(..4) > 0 {
                    let first = tokio::time::timeout(PATIENCE, pagerduty.until_asked(asked + 1));
                    first.await.expect("the program never looks");
                }
                // The kill comes just after a request, or at any moment.
                let enough = asked + moments.usize(1..45);
                let moment = Duration::from_micros(moments.u64(..200_000));
                let _ = tokio::time::timeout(moment, pagerduty.until_asked(enough)).await;
                let is_amid = pagerduty.requests().len() > asked && !program.is_marked(&account.world);
                amid += usize::from(is_amid);
            }
            left -= left.min(KILLS_IN_A_PERIOD);
            no_panic(&if kills > 0 { process.kill() } else { process.terminate() });
            (process, listening) = program.look(&account.world).await;
        }
        backend.becomes_reliable();
        drain(listening, &program.store).await;
        no_panic(&process.terminate());
        assert_eq!(pagerduty.refusals(), [""; 0]);
        program.check_backend(&backend);
        let (events, failures) = (program.events(), listed(&program.store));
        assert!(failures.keys().eq(&account.world.incidents()), "{failures:#?}");
        program.nothing_is_new(&mut account, &events).await;
        End { events, failures, amid }
    }
}

/// The program's files.
struct Program {
    config: PathBuf,
    store: PathBuf,
}

impl Program {
    fn of(folder: &Path, backend: &Unreliable, pagerduty: &FakePagerDuty) -> Self {
        let config = configuration(folder, backend);
        let text = std::fs::read_to_string(&config).unwrap();
        let api = format!("{}requests_per_minute = 100000\n", pagerduty.section());
        std::fs::write(&config, text + &api).unwrap();
        Self { config, store: folder.join("pagerduty-dora.db") }
    }

    /// Starts the program, and waits until it has looked itself.
    async fn look(&self, world: &World) -> (Process, Listening) {
        let (process, listening) = Process::start(&self.config);
        listening.has_looked().await;
        assert!(self.is_marked(world));
        (process, listening)
    }

    /// `true` if the store says that it has everything up to the present time of the account.
    fn is_marked(&self, world: &World) -> bool {
        let reader = Reader::open(store_address(&self.store)).ok();
        reader.and_then(|reader| reader.reconciled_up_to().unwrap()) == Some(world.now())
    }

    /// Ids of the events, each of which is stored once.
    fn events(&self) -> BTreeSet<String> {
        let probe = Probe::open(&self.store);
        probe.assert_intact();
        assert_eq!((probe.quarantined(), probe.unfolded()), (0, 0));
        let ids = probe.event_ids();
        assert_eq!(i64::try_from(ids.len()).unwrap(), probe.events());
        ids
    }

    /// Checks that another look stores nothing.
    async fn nothing_is_new(&self, account: &mut Account, events: &BTreeSet<String>) {
        account.wait();
        let (process, _) = self.look(&account.world).await;
        no_panic(&process.terminate());
        same(&self.events(), events);
    }

    /// Checks that the backend has each completed failure once, as it is. Of others it has only those that were
    /// completed before, and knows that they are open again.
    fn check_backend(&self, backend: &Unreliable) {
        let (failures, revisions) = (listed(&self.store), Probe::open(&self.store).revisions());
        let mut received = backend.received();
        for failure in failures.values() {
            let id = failure["id"].as_str().unwrap();
            let receipts = received.remove(id).unwrap_or_default();
            if failure["state"] == "completed" {
                received_in_order(id, &receipts, &revisions[id]);
                received_exactly(last_accepted(&receipts), failure);
            } else if receipts.iter().any(|receipt| receipt.is_taken) {
                let sent: Value = serde_json::from_slice(last_accepted(&receipts)).unwrap();
                let end = &sent["data"]["attributes"]["finished_at"];
                assert!(failure["state"] == "open" && end.is_null(), "{failure}: {sent}");
            }
        }
        assert!(received.is_empty(), "no failures: {received:?}");
    }
}

/// An account whose incidents change from period to period. The same seed gives the same changes.
struct Account {
    rng: Rng,
    world: World,
    /// Begin of the present period.
    period: Timestamp,
    /// Time of the last change in this period.
    at: Timestamp,
    open: Vec<String>,
    resolved: Vec<String>,
    reopened: BTreeSet<String>,
    /// Number of webhooks so far.
    webhooks: usize,
}

impl Account {
    /// An account with an incident that stays open.
    fn open(run: Run) -> Self {
        let world = World::new(run.seed);
        world.trigger(run.begin, "search", "high", None, "slow for years");
        // The answers have whole seconds.
        let period = Timestamp::from_nanos(run.begin.as_seconds() * 1_000_000_000).saturating_add(PERIOD);
        world.set_now(period);
        let (open, resolved, reopened) = (Vec::new(), Vec::new(), BTreeSet::new());
        let rng = Rng::with_seed(run.seed);
        Self { rng, world, period, at: period, open, resolved, reopened, webhooks: 1 }
    }

    /// Lets a period pass, and returns the webhooks that come.
    fn live(&mut self) -> Vec<Webhook> {
        self.at = self.period;
        let mut unseen = BTreeSet::new();
        for _ in 0..4 {
            let id = self.trigger();
            self.open.push(id);
            self.change();
            self.change();
            // Nothing in the store says that this incident has to be read.
            let id = self.trigger();
            let at = self.next();
            self.world.resolve(&id, at);
            unseen.insert(id);
        }
        self.wait();
        let all = self.world.webhooks().split_off(self.webhooks);
        self.webhooks += all.len();
        // REST tells of a reopen only until the next change.
        let mut comes = |webhook: &Webhook| webhook.event_type == "incident.reopened" || self.rng.bool();
        all.into_iter().filter(|webhook| !unseen.contains(&webhook.incident) && comes(webhook)).collect()
    }

    fn trigger(&mut self) -> String {
        let (at, service) = (self.next(), ["checkout", "payments"][self.rng.usize(..2)]);
        self.world.trigger(at, service, "high", Some("P2"), "disk full")
    }

    /// Lets the rest of the period pass.
    fn wait(&mut self) {
        self.world.set_now(self.period.saturating_add(LOOK));
        self.period = self.period.saturating_add(PERIOD);
    }

    /// Time of the next change.
    fn next(&mut self) -> Timestamp {
        self.at = self.at.saturating_add(Duration::from_millis(self.rng.u64(2_000..40_000)));
        self.at
    }

    /// Changes a random incident.
    fn change(&mut self) {
        let (at, open) = (self.next(), self.rng.usize(..self.open.len()));
        let id = self.open[open].clone();
        match self.rng.u8(..8) {
            0..3 => {
                self.world.resolve(&id, at);
                self.resolved.push(self.open.swap_remove(open));
            }
            3 | 4 => self.world.acknowledge(&id, at),
            5 => self.world.set_priority(&id, at, ["P1", "P3"].map(Some)[self.rng.usize(..2)]),
            // A backend that has a failure cannot be told of its merge without another key.
            6 if self.open.len() > 1 && !self.reopened.contains(&id) => {
                self.open.swap_remove(open);
                self.world.merge(&id, at, &self.open[self.rng.usize(..self.open.len())]);
            }
            _ => {
                let Some(id) = self.resolved.pop() else { return };
                self.world.reopen(&id, at);
                self.reopened.insert(id.clone());
                self.open.push(id);
            }
        }
        if self.open.is_empty() {
            let id = self.trigger();
            self.open.push(id);
        }
    }
}

/// Checks that two sets are equal.
#[track_caller]
fn same(found: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let more: Vec<_> = found.difference(expected).collect();
    let missing: Vec<_> = expected.difference(found).collect();
    assert!(more.is_empty() && missing.is_empty(), "unexpected: {more:#?}; missing: {missing:#?}");
}
