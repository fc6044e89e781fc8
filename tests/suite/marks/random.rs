//! Marks after random failures and deployments. The marks that the backend has in the end follow from the facts in the
//! end, regardless of their order, and of replacements, deletions and failed attempts on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use pagerduty_dora::backend::{Backend, Outgoing};
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::deployment::{Deployment, Deployments};
use pagerduty_dora::domain::failure::{Failure, FailureState};
use pagerduty_dora::domain::forwarding::{Action, Subject};
use pagerduty_dora::domain::id::{DeploymentId, FailureId};
use pagerduty_dora::domain::lane::{Lane, LaneHealth};
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::domain::submission::Submission;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::sources;
use pagerduty_dora::store::{AttemptOutcome, ClaimOrder, Claimed, Settings, Store};
use serde_json::Value;

use crate::engine::{cases, of_a_daemon, store_address};
use crate::harness::time;
use crate::link_model;

const LIVES: u64 = 60;
const STEPS: usize = 60;
/// Rounds of sending after which nothing may be left. Each round sends up to three rows of each lane.
const MOST_ROUNDS: usize = 1_000;
const WINDOW: Duration = Duration::from_mins(30);

const CONFIGURATION: &str = r#"
[[rule]]
name = "noise"
title = ["noise"]
action = "ignore"

[[backend]]
name = "datadog"
kind = "datadog"
url = "http://127.0.0.1:9"
api_key = { value = "a" }
application_key = { value = "b" }
deployments = true
change_failures = true
"#;

pub(super) fn settings(configuration: &str) -> Settings {
    let config = Config::parse(configuration).unwrap();
    let backend = Backend::from_config(&config.backend[0], &Outgoing::default()).unwrap();
    of_a_daemon(Settings {
        policy: Arc::new(Policy { link_window: WINDOW, ..config.policy() }),
        destinations: vec![Arc::new(backend)],
        sources: sources::ALL,
        ..Settings::default()
    })
}

fn minute(minute: u64) -> Timestamp {
    time("2026-11-01T00:00:00Z").saturating_add(Duration::from_mins(minute))
}

fn any<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

/// A random deployment with one of few services, teams, envs and versions, so that failures often match.
pub(super) fn deployment(rng: &mut Rng) -> Deployment {
    let started = rng.u64(..120);
    Deployment {
        id: DeploymentId::parse(&format!("deployment:{:05}", rng.u8(..12))).unwrap(),
        service: any(rng, &["cart", "search"]).to_owned(),
        team: any(rng, &[None, Some("payments")]).map(str::to_owned),
        env: any(rng, &["production", "production", "staging"]).to_owned(),
        started_at: minute(started),
        finished_at: minute(started + rng.u64(..20)),
        version: any(rng, &[None, Some("v1"), Some("v2"), Some("3")]).map(str::to_owned),
        commit_sha: any(rng, &[None, Some("a"), Some("aaaaaaab"), Some("B")])
            .map(|digits| format!("{digits:a<40}")),
        repository_url: None,
        tags: std::collections::BTreeSet::new(),
    }
}

fn failure(rng: &mut Rng) -> Submission {
    let started = rng.u64(..120);
    let services: &[&str] = any(rng, &[&["cart"], &["search"], &["cart", "search"], &[]]);
    let is_explicit = rng.u8(..3) == 0;
    Submission {
        id: FailureId::parse(&format!("failure-of-api:{:05}", rng.u8(..12))).unwrap(),
        services: services.iter().map(|service| (*service).to_owned()).collect(),
        team: Some("payments".to_owned()),
        env: any(rng, &["production", "production", "staging"]).to_owned(),
        started_at: minute(started),
        finished_at: any(rng, &[true, true, false]).then(|| minute(started + rng.u64(..60))),
        name: any(rng, &[None, None, Some("noise")]).map(str::to_owned),
        severity: None,
        version: any(
            rng,
            &[None, Some("v1"), Some("V2"), Some("`v3`."), Some("v9"), Some("deployment:00003")],
        )
        .filter(|_| is_explicit)
        .map(str::to_owned),
        commit_sha: any(rng, &[None, Some("AAAAAAA"), Some("aaaaaaab"), Some("Baaaaaaaaa"), Some("c")])
            .filter(|_| is_explicit)
            .map(str::to_owned),
        repository_url: None,
        tags: std::collections::BTreeSet::new(),
        in_the_future: false,
    }
}

/// Facts that are known in the end.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) deployments: BTreeMap<String, Deployment>,
    pub(super) failures: BTreeMap<String, Submission>,
}

/// A mark: the remediation and its type, if there is one.
pub(super) type Mark = Option<(String, &'static str)>;

impl Facts {
    /// The marks that follow from all facts, without any index.
    pub(super) fn marks(&self, policy: &Policy) -> BTreeMap<String, Mark> {
        let deployments = Deployments::new(self.deployments.values().cloned().collect());
        let mut linked: BTreeMap<String, Vec<Failure>> = BTreeMap::new();
        for submission in self.failures.values() {
            let evaluated = submission.evaluate(policy);
            let cause = link_model::cause(&evaluated, deployments.as_slice(), WINDOW);
            let counts = evaluated.failure.state != FailureState::Ignored;
            if let Some(cause) = cause.filter(|_| counts) {
                linked.entry(cause.id.to_string()).or_default().push(evaluated.failure);
            }
        }
        let mark = |(id, failures): (String, Vec<Failure>)| {
            let fixed_by = self.fixed_by(&id, failures);
            let kind = |fixed_by: &Deployment| {
                if deployments.is_rollback(fixed_by) { "rollback" } else { "rollforward" }
            };
            (id, fixed_by.map(|fixed_by| (fixed_by.id.to_string(), kind(fixed_by))))
        };
        linked.into_iter().map(mark).collect()
    }

    /// The last deployment that fixed one of the failures before the first quiet minute. A minute is quiet if no
    /// failure goes on in its middle.
    fn fixed_by(&self, cause: &str, mut failures: Vec<Failure>) -> Option<&Deployment> {
        let begin = failures.iter().map(|failure| failure.started_at).min()?;
        let goes_on = |failure: &Failure, at: Timestamp| {
            failure.started_at <= at && failure.finished_at.is_none_or(|end| at <= end)
        };
        let middle_of = |minute: u64| begin.saturating_add(Duration::from_secs(60 * minute + 30));
        let is_quiet = |at: Timestamp| !failures.iter().any(|failure| goes_on(failure, at));
        // All times are whole minutes. Each failure ends within four hours or never.
        let quiet_at = (0..240).map(middle_of).find(|at| is_quiet(*at))?;
        failures.retain(|failure| failure.started_at < quiet_at);
        let fixes = |failure: &Failure, deployment: &Deployment| {
            let is_own = if failure.services.is_empty() {
                failure.team.is_some() && failure.team == deployment.team
            } else {
                failure.services.contains(&deployment.service)
            };
            is_own
                && failure.env == deployment.env
                && deployment.id.as_str() != cause
                && deployment.started_at > failure.started_at
                && Some(deployment.started_at) < failure.finished_at
        };
        let latest_of = |failure: &Failure| {
            self.deployments
                .values()
                .filter(|deployment| fixes(failure, deployment))
                .max_by_key(|deployment| (deployment.started_at, &deployment.id))
        };
        failures.iter().filter_map(latest_of).max_by_key(|deployment| (deployment.started_at, &deployment.id))
    }
}

/// A model of the backend: its deployments and their marks.
#[derive(Default)]
pub(super) struct Datadog {
    deployments: BTreeMap<String, Value>,
    marks: BTreeMap<String, Value>,
    pub(super) requests: usize,
    /// `true` if it has no deployments besides those that were sent to it.
    pub(super) knows_only_what_was_sent: bool,
}

impl Datadog {
    fn receives(&mut self, claimed: &Claimed) {
        let Subject::Deployment(id) = &claimed.subject else { return };
        self.requests += 1;
        for line in claimed.prepared.body.split(|byte| *byte == b'\n') {
            let body: Value = serde_json::from_slice(line).unwrap();
            let attributes = body["data"]["attributes"].clone();
            match claimed.prepared.action {
                Action::Replace => {
                    // A deployment that is replaced loses its mark.
                    self.marks.remove(id);
                    self.deployments.insert(id.clone(), attributes);
                }
                Action::Mark | Action::Unmark => self.patch(&body["data"], attributes),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A mark is kept under the deployment's id, or under service, env and version.
    fn patch(&mut self, data: &Value, attributes: Value) {
        let text = |key: &str| attributes[key].as_str().unwrap().to_owned();
        let name = match data["id"].as_str() {
            Some(id) => id.to_owned(),
            None => [text("service"), text("env"), text("version")].join("/"),
        };
        if attributes["change_failure"] == true {
            let is_known = data.get("id").is_none() || self.deployments.contains_key(&name);
            assert!(is_known || !self.knows_only_what_was_sent, "{name} is marked before it was sent");
            self.marks.insert(name, attributes);
        } else {
            self.marks.remove(&name);
        }
    }

    pub(super) fn marks(&self) -> BTreeMap<String, Mark> {
        let mark = |(id, attributes): (&String, &Value)| {
            assert_eq!(attributes["change_failure"], true);
            let fixed_by = attributes.get("remediation").map(|remediation| {
                let kind = if remediation["type"] == "rollback" { "rollback" } else { "rollforward" };
                let named = remediation.get("version").unwrap_or(&remediation["id"]);
                (named.as_str().unwrap().to_owned(), kind)
            });
            (id.clone(), fixed_by)
        };
        self.marks.iter().map(mark).collect()
    }
}

pub(super) struct Life {
    store: Store,
    now: Timestamp,
    pub(super) facts: Facts,
    pub(super) datadog: Datadog,
    /// Makes a random deployment.
    deployment: fn(&mut Rng) -> Deployment,
}

impl Life {
    pub(super) fn open(path: &Path, configuration: &str, deployment: fn(&mut Rng) -> Deployment) -> Self {
        let now = time("2026-11-20T00:00:00Z");
        let (facts, datadog) = (Facts::default(), Datadog::default());
        Self {
            store: Store::open(store_address(path), settings(configuration)).unwrap(),
            now,
            facts,
            datadog,
            deployment,
        }
    }

    pub(super) async fn step(&mut self, rng: &mut Rng) {
        self.now = self.now.saturating_add(Duration::from_secs(1));
        match rng.u8(..10) {
            0..=3 => self.record_deployment((self.deployment)(rng)).await,
            4..=7 => self.submit(failure(rng)).await,
            8 => {
                let id = failure(rng).id;
                self.facts.failures.remove(id.as_str());
                self.store.delete(id, self.now).await.unwrap();
            }
            _ => drop(self.forward(|_| rng.u8(..4)).await),
        }
    }

    pub(super) async fn record_deployment(&mut self, deployment: Deployment) {
        self.facts.deployments.insert(deployment.id.to_string(), deployment.clone());
        self.store.record_deployment(deployment, self.now).await.unwrap();
    }

    pub(super) async fn submit(&mut self, failure: Submission) {
        self.facts.failures.insert(failure.id.to_string(), failure.clone());
        self.store.submit(failure, self.now).await.unwrap();
    }

    /// Sends the rows that are due. `luck` chooses the outcome of each. Returns `true` if there was a row.
    async fn forward(&mut self, mut luck: impl FnMut(&Claimed) -> u8) -> bool {
        let mut rows = Vec::new();
        for &lane in Lane::ALL {
            let epoch = self.store.take_lease("datadog").await.unwrap().unwrap();
            let place = ("datadog", epoch);
            let claim = self.store.claim(place, lane, ClaimOrder::All, || 3, self.now).await.unwrap();
            rows.extend(claim.rows.into_iter().map(|claimed| (lane, claimed)));
        }
        for (lane, claimed) in &rows {
            let later = |status| AttemptOutcome::Retry { due_at: self.now, status, error: String::new() };
            let outcome = match luck(claimed) {
                0 => later(Some(429)),
                1 => later(Some(503)),
                2 => {
                    self.datadog.receives(claimed);
                    later(None)
                }
                _ => {
                    self.datadog.receives(claimed);
                    AttemptOutcome::Sent { status: Some(202) }
                }
            };
            let attempted = (claimed.row, claimed.epoch, outcome, 0);
            let lane = ("datadog", *lane);
            self.store.record_attempt(lane, attempted, LaneHealth::default, self.now).await.unwrap();
        }
        !rows.is_empty()
    }

    /// Sends everything, also rows that are sent once more later.
    pub(super) async fn drain(&mut self) {
        let mut is_quiet = false;
        for _ in 0..MOST_ROUNDS {
            if self.forward(|_| 3).await {
                is_quiet = false;
            } else if is_quiet {
                return;
            } else {
                is_quiet = true;
                self.now = self.now.saturating_add(Duration::from_mins(2));
            }
        }
        panic!("there are still rows to send after {MOST_ROUNDS} rounds");
    }
}

#[tokio::test]
async fn final_marks_follow_from_the_final_facts() {
    let mut marked = 0;
    for seed in 0..cases(LIVES) {
        let (mut rng, folder) = (Rng::with_seed(seed), tempfile::tempdir().unwrap());
        let path = folder.path().join("store.db");
        let mut life = Life::open(&path, CONFIGURATION, deployment);
        life.datadog.knows_only_what_was_sent = true;
        for _ in 0..STEPS {
            life.step(&mut rng).await;
        }
        life.drain().await;
        let wanted = life.facts.marks(&settings(CONFIGURATION).policy);
        assert_eq!(life.datadog.marks(), wanted, "seed {seed}");
        marked += wanted.len();

        // The same facts once more, in any order, cause no request.
        let requests = life.datadog.requests;
        let mut deployments: Vec<_> = life.facts.deployments.values().cloned().collect();
        let mut failures: Vec<_> = life.facts.failures.values().cloned().collect();
        rng.shuffle(&mut deployments);
        rng.shuffle(&mut failures);
        for failure in failures {
            life.submit(failure).await;
        }
        for deployment in deployments {
            life.record_deployment(deployment).await;
        }
        life.drain().await;
        assert_eq!(life.datadog.requests, requests, "seed {seed}");
    }
    assert!(marked as u64 > cases(50), "{marked}");
}
