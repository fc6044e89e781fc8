//! Deployments that sources tell of are a function of the set of their events, and of the configuration; the backends end
//! with those that count.

mod model;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pagerduty_dora::backend::{Backend, Outgoing};
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::changed_deployment::{ChangedDeployment, ChangedDeployments};
use pagerduty_dora::domain::deployment_table::{DeploymentTable, RepositoryGlob};
use pagerduty_dora::domain::deployment_template::Template;
use pagerduty_dora::domain::deployment_view::PendingRule;
use pagerduty_dora::domain::forwarding::{Action, Destination, Subject};
use pagerduty_dora::domain::lane::{Lane, LaneHealth};
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::domain::rule::RuleAction;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::store::{
    AttemptOutcome, ClaimOrder, DeploymentFilter, Reader, ReevaluateSpan, ReevaluatedBatch, Settings, Store,
    WriterState,
};
use serde_json::Value;

use self::model::{Counting, Rules, counting, expected};
use self::world::{Month, SOURCES, Told};
use crate::engine::{FINGERPRINT, of_a_daemon, store_address};
use crate::harness::time;
use crate::store_edit;

/// Months in the normal run. `TOLD_MONTHS` sets another number.
const MONTHS: u64 = 12;

const BACKEND: &str = r#"
[[backend]]
name = "datadog"
kind = "datadog"
url = "http://127.0.0.1:9"
api_key = { value = "a" }
application_key = { value = "b" }
deployments = true
change_failures = true
"#;

fn table(services: &[&str], repository: &str, env: Option<&str>, action: RuleAction) -> DeploymentTable {
    DeploymentTable {
        name: "the only table".to_owned(),
        source: Vec::new(),
        repository: vec![RepositoryGlob::new(repository)],
        patterns: BTreeMap::new(),
        services: services.iter().map(|text| Template::parse(text).unwrap()).collect(),
        env: env.map(|text| Template::parse(text).unwrap()),
        version: None,
        team: None,
        action,
    }
}

fn policy(rules: Rules) -> Arc<Policy> {
    let tables = match rules {
        Rules::Default => Vec::new(),
        Rules::StagingAndTwoServices => ["cart", "search"]
            .map(|name| {
                let services = [format!("{name}-web"), format!("{name}-worker")];
                let services: Vec<&str> = services.iter().map(String::as_str).collect();
                table(&services, &format!("acme/{name}"), Some("{environment}"), RuleAction::Count)
            })
            .to_vec(),
        Rules::NoCart => vec![table(&[], "acme/cart", None, RuleAction::Ignore)],
    };
    let config = Config::parse(BACKEND).unwrap();
    Arc::new(Policy { deployments: tables, ..config.policy() })
}

fn destinations() -> Vec<Arc<dyn Destination>> {
    let config = Config::parse(BACKEND).unwrap();
    vec![Arc::new(Backend::from_config(&config.backend[0], &Outgoing::default()).unwrap())]
}

/// The changes of all batches together.
async fn changes(batch: impl AsyncFn(ReevaluateSpan) -> ReevaluatedBatch) -> Vec<ChangedDeployment> {
    let (mut all, mut span) = (ChangedDeployments::default(), ReevaluateSpan::default());
    loop {
        let batch = batch(span).await;
        all.extend(batch.changed_deployments);
        match batch.next {
            Some(next) => span.from = next,
            None => return all.into(),
        }
    }
}

/// A store that is told of a month, and what its backend has in the end.
struct Life {
    path: PathBuf,
    store: Store,
    now: Timestamp,
    rules: Rules,
    at_backend: BTreeMap<String, Value>,
    requests: usize,
}

impl Life {
    fn open(folder: &Path) -> Self {
        let path = folder.join("store.db");
        let store = Self::store(&path, Rules::Default);
        let now = time("2026-12-20T00:00:00Z");
        Self { path, store, now, rules: Rules::Default, at_backend: BTreeMap::new(), requests: 0 }
    }

    fn store(path: &Path, rules: Rules) -> Store {
        let settings = of_a_daemon(Settings {
            policy: policy(rules),
            destinations: destinations(),
            sources: SOURCES,
            ..Settings::default()
        });
        Store::open(store_address(path), settings).unwrap()
    }

    async fn tell(&mut self, event: &Told) {
        self.now = self.now.saturating_add(Duration::from_secs(1));
        self.store.record(event.heading(), event.delivery(self.now)).await.unwrap();
    }

    /// Stores many events before any of them is folded.
    async fn tell_all(&mut self, events: &[Told]) {
        let answers: Vec<_> =
            events.iter().map(|event| self.store.record(event.heading(), event.delivery(self.now))).collect();
        for answer in answers {
            answer.await.unwrap();
        }
    }

    /// Opens the store again, perhaps as after a crash that undid all folding.
    async fn restart(self, loses_folding: bool) -> Self {
        let Self { path, store, now, rules, at_backend, requests } = self;
        let mut ended = store.ended();
        drop(store);
        ended.wait_for(|ended| *ended != WriterState::Running).await.unwrap();
        if loses_folding {
            store_edit::unfold_deployments(&path);
        }
        let store = Self::store(&path, rules);
        Self { path, store, now, rules, at_backend, requests }
    }

    async fn reevaluate(&mut self, rules: Rules) {
        self.rules = rules;
        self.store.configure(policy(rules), destinations(), Some(FINGERPRINT.into()));
        let reader = Reader::open(store_address(&self.path)).unwrap();
        let would = changes(async |span| reader.would_change(span, &policy(rules), SOURCES).unwrap()).await;
        let did = changes(async |span| self.store.reevaluate(span, self.now).await.unwrap()).await;
        assert_eq!(did, would, "a dry run says the same");
    }

    /// The deployments that count, in the listing.
    async fn counting(&self) -> BTreeSet<Counting> {
        self.store.wait_until_folded().await;
        self.listed(false).iter().map(|(made, _)| made.clone()).collect()
    }

    fn listed(&self, ignored: bool) -> Vec<(Counting, Option<String>)> {
        let filter = DeploymentFilter { ignored, limit: 1_000, ..DeploymentFilter::default() };
        let pending = PendingRule { link_window: Duration::from_hours(1), now: self.now };
        let page = Reader::open(store_address(&self.path)).unwrap().deployments(&filter, pending).unwrap();
        page.deployments
            .iter()
            .map(|view| (counting(&view.deployment), view.ignored_because.clone()))
            .collect()
    }

    /// Sends everything, and keeps what the backend has. Some attempts fail.
    async fn forward(&mut self, rng: &mut Rng) {
        self.store.wait_until_folded().await;
        let mut is_quiet = false;
        for _ in 0..1_000 {
            if self.forward_some(rng).await {
                is_quiet = false;
            } else if is_quiet {
                return;
            } else {
                is_quiet = true;
                self.now = self.now.saturating_add(Duration::from_mins(2));
            }
        }
        panic!("there are still rows to send");
    }

    async fn forward_some(&mut self, rng: &mut Rng) -> bool {
        let mut found = false;
        for &lane in Lane::ALL {
            let epoch = self.store.take_lease("datadog").await.unwrap().unwrap();
            let place = ("datadog", epoch);
            let claim = self.store.claim(place, lane, ClaimOrder::All, || 5, self.now).await.unwrap();
            for row in &claim.rows {
                found = true;
                let outcome = if rng.u8(..5) == 0 {
                    AttemptOutcome::Retry { due_at: self.now, status: Some(429), error: String::new() }
                } else {
                    self.receive(row);
                    AttemptOutcome::Sent { status: Some(202) }
                };
                let attempted = (row.row, row.epoch, outcome, 0);
                let lane = ("datadog", lane);
                self.store.record_attempt(lane, attempted, LaneHealth::default, self.now).await.unwrap();
            }
        }
        found
    }

    fn receive(&mut self, claimed: &pagerduty_dora::store::Claimed) {
        let Subject::Deployment(id) = &claimed.subject else { panic!("{:?}", claimed.subject) };
        self.requests += 1;
        match claimed.prepared.action {
            Action::Replace => {
                let body: Value = serde_json::from_slice(&claimed.prepared.body).unwrap();
                self.at_backend.insert(id.clone(), body["data"]["attributes"].clone());
            }
            Action::Delete => assert!(self.at_backend.remove(id).is_some(), "{id} is not there"),
            other => panic!("{other:?}"),
        }
    }

    /// The backend has each deployment that counts, with its values, and no other.
    fn check_backend(&self, wanted: &BTreeSet<Counting>, seed: u64) {
        let has: BTreeSet<_> = self
            .at_backend
            .iter()
            .map(|(id, sent)| (id.clone(), sent["service"].to_string(), sent["finished_at"].to_string()))
            .collect();
        let wanted: BTreeSet<_> = wanted
            .iter()
            .map(|(id, service, _, _, end, _)| {
                (id.clone(), format!("{service:?}"), end.as_nanos().to_string())
            })
            .collect();
        assert_eq!(has, wanted, "seed {seed}");
    }
}

/// Tells a store of a month in a random order, with duplicates and restarts.
async fn live(month: &Month, rng: &mut Rng, folder: &Path) -> Life {
    let mut life = Life::open(folder);
    let mut events = month.events.clone();
    let duplicates: Vec<Told> = events.iter().filter(|_| rng.u8(..3) == 0).cloned().collect();
    events.extend(duplicates);
    rng.shuffle(&mut events);
    let mut submitted = month.submitted.clone();
    rng.shuffle(&mut submitted);
    while !events.is_empty() || !submitted.is_empty() {
        match rng.u8(..12) {
            0..=5 => {
                if let Some(event) = events.pop() {
                    life.tell(&event).await;
                }
            }
            6 | 7 => {
                let rush = events.split_off(events.len().saturating_sub(rng.usize(..30)));
                life.tell_all(&rush).await;
            }
            8 | 9 => {
                if let Some(deployment) = submitted.pop() {
                    life.store.record_deployment(deployment, life.now).await.unwrap();
                }
            }
            10 => life = life.restart(rng.bool()).await,
            _ => drop(life.forward_some(rng).await),
        }
    }
    life
}

fn months() -> u64 {
    std::env::var("TOLD_MONTHS").map_or(MONTHS, |months| months.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_follow_from_the_set_of_their_events() {
    let (mut counted, mut duplicates) = (0, 0);
    for seed in 0..months() {
        let (mut rng, folder) = (Rng::with_seed(seed), tempfile::tempdir().unwrap());
        let month = Month::random(&mut rng);
        let mut life = live(&month, &mut rng, folder.path()).await;
        let wanted = expected(&month, Rules::Default);
        assert_eq!(life.counting().await, wanted, "seed {seed}");
        counted += wanted.len();
        let is_duplicate = |(_, reason): &&(Counting, Option<String>)| {
            reason.as_ref().is_some_and(|reason| reason.starts_with("it is the same deployment as"))
        };
        duplicates += life.listed(true).iter().filter(is_duplicate).count();
        life.forward(&mut rng).await;
        life.check_backend(&wanted, seed);

        // Everything once more, in any order, changes nothing.
        let requests = life.requests;
        let mut again = month.events.clone();
        rng.shuffle(&mut again);
        life.tell_all(&again).await;
        life = life.restart(true).await;
        assert_eq!(life.counting().await, wanted, "seed {seed}");
        life.forward(&mut rng).await;
        assert_eq!(life.requests, requests, "seed {seed}");
    }
    assert!(counted as u64 > 5 * months() && duplicates as u64 > months(), "{counted} {duplicates}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_table_applies_to_the_past_and_can_be_taken_back() {
    for seed in 1_000..1_000 + months() / 2 {
        let (mut rng, folder) = (Rng::with_seed(seed), tempfile::tempdir().unwrap());
        let month = Month::random(&mut rng);
        let mut life = live(&month, &mut rng, folder.path()).await;
        for rules in [Rules::StagingAndTwoServices, Rules::NoCart, Rules::Default] {
            if rng.bool() {
                life.forward(&mut rng).await;
            }
            life.store.wait_until_folded().await;
            life.reevaluate(rules).await;
            if rng.u8(..3) == 0 {
                life = life.restart(true).await;
            }
            let wanted = expected(&month, rules);
            assert_eq!(life.counting().await, wanted, "seed {seed} {rules:?}");
        }
        life.forward(&mut rng).await;
        life.check_backend(&expected(&month, Rules::Default), seed);
    }
}
