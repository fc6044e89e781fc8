//! `change_failures = "by_version"`: marks of deployments that the backend tracks under ids of its own.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use pagerduty_dora::domain::deployment::Deployment;
use serde_json::{Value, json};

use super::random::{Life, Mark, deployment, settings};
use super::{marking, sent};
use crate::deployments::deploy;
use crate::engine::cases;
use crate::harness::{Backend, Daemon, Request, event_of};

/// The entry of a backend that gets marks by version, and neither deployments nor failures.
fn by_version(backend: &Backend) -> String {
    let by_id = marking(backend).replace("deployments = true\n", "");
    by_id.replace("change_failures = true", "change_failures = \"by_version\"\nfailures = false")
}

/// The method and path of each request, and what it says.
fn told(requests: &[Request]) -> Vec<(String, Value)> {
    let lines = requests.iter().map(|request| (request.line.clone(), request.attributes()));
    lines.map(|(line, attributes)| (line.replace("/api/v2/dora/", ""), attributes)).collect()
}

fn patch(version: &str, fails: bool) -> (String, Value) {
    let attributes = json!({
        "change_failure": fails, "service": "Checkout API", "env": "production", "version": version,
    });
    ("PATCH deployments".to_owned(), attributes)
}

async fn patches(daemon: &Daemon, backend: &mut Backend) -> Vec<(String, Value)> {
    told(&sent(daemon, backend).await)
}

/// The reasons about marks that a story gives.
async fn reasons(daemon: &Daemon, story: &str) -> Vec<String> {
    let story = daemon.get(&format!("/api/v1/{story}")).await.json();
    let whys = story["why"].as_array().unwrap().iter().filter(|why| why["about"] == "change_failure");
    whys.map(|why| format!("{}: {}", why["value"].as_str().unwrap(), why["because"].as_str().unwrap()))
        .collect()
}

/// Submits an open failure that the deployment of 08:00 caused.
async fn fail(daemon: &Daemon) {
    let failure = json!({ "data": { "attributes": {
        "id": "the-only-failure", "services": ["Checkout API"], "started_at": "2026-11-01T08:30:00Z",
    } } });
    assert_eq!(daemon.events_api("POST", "/failure", &failure).await.status, 200);
}

async fn withdraw(daemon: &Daemon) {
    assert_eq!(daemon.events_api("DELETE", "/failure/the-only-failure", &Value::Null).await.status, 202);
}

#[tokio::test]
async fn a_deployment_that_the_backend_tracks_is_marked_by_its_version() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&by_version(&backend)).await;
    let id = deploy(&daemon, "v2", "09:30", json!({})).await;
    assert!(id.starts_with("api:"), "the id is made here: {id}");
    daemon.expect(event_of("incident.triggered", "QMARKED001"), "accepted").await;
    assert_eq!(patches(&daemon, &mut backend).await, [patch("v2", true)]);
    deploy(&daemon, "v1", "10:20", json!({})).await;
    daemon.expect(event_of("incident.resolved", "QMARKED001"), "accepted").await;
    let (line, mut attributes) = patch("v2", true);
    attributes["remediation"] = json!({ "type": "rollforward", "version": "v1" });
    assert_eq!(patches(&daemon, &mut backend).await, [(line, attributes)]);
    insta::assert_snapshot!(reasons(&daemon, "failures/QMARKED001").await.join("\n"), @r"
    metrics: sent: this backend is to mark the deployment that caused the failure as a change failure
    metrics: by_version: by service, env and version v2, which name no other deployment here: this program does not send the deployment there
    ");
    assert_eq!(reasons(&daemon, &format!("deployments/{id}")).await.len(), 2);
}

#[tokio::test]
async fn a_mark_by_version_is_removed_when_it_does_not_hold_any_more() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&by_version(&backend)).await;
    deploy(&daemon, "v1", "08:00", json!({})).await;
    fail(&daemon).await;
    assert_eq!(patches(&daemon, &mut backend).await, [patch("v1", true)]);
    withdraw(&daemon).await;
    assert_eq!(patches(&daemon, &mut backend).await, [patch("v1", false)]);
    withdraw(&daemon).await;
    assert_eq!(patches(&daemon, &mut backend).await, []);
}

#[tokio::test]
async fn a_corrected_version_moves_the_mark() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&by_version(&backend)).await;
    let id = json!({ "id": "deployment:of-pipeline" });
    deploy(&daemon, "v1", "08:00", id.clone()).await;
    fail(&daemon).await;
    assert_eq!(patches(&daemon, &mut backend).await, [patch("v1", true)]);
    // The mark of the wrong version is removed first. The second answer does not come, so only that request is repeated.
    backend.will_answer(&[(202, &[]), (503, &[])]);
    deploy(&daemon, "v2", "08:00", id.clone()).await;
    assert_eq!(told(&[backend.next().await, backend.next().await]), [patch("v1", false), patch("v2", true)]);
    daemon.until(|store| store.answered_with(503) > 0).await;
    let again = crate::forwarding::next_after_waiting(&daemon, &mut backend).await;
    assert_eq!(told(&[again]), [patch("v2", true)]);
    deploy(&daemon, "v2", "08:00", id).await;
    assert_eq!(patches(&daemon, &mut backend).await, [], "nothing has changed");
    withdraw(&daemon).await;
    assert_eq!(patches(&daemon, &mut backend).await, [patch("v2", false)]);
}

#[tokio::test]
async fn a_version_that_names_two_deployments_marks_neither() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&by_version(&backend)).await;
    let made_here = deploy(&daemon, "v1", "08:00", json!({})).await;
    deploy(&daemon, "v1", "06:00", json!({})).await;
    fail(&daemon).await;
    assert_eq!(patches(&daemon, &mut backend).await, []);
    let because = reasons(&daemon, &format!("deployments/{made_here}")).await;
    assert!(
        because.len() == 1 && because[0].contains("not marked: its version names several"),
        "{because:?}"
    );
    withdraw(&daemon).await;
    // A pipeline may have sent its own id to both.
    deploy(&daemon, "v1", "08:05", json!({ "id": "deployment:of-pipeline" })).await;
    fail(&daemon).await;
    let by_id = ("PATCH deployments/deployment:of-pipeline".to_owned(), json!({ "change_failure": true }));
    assert_eq!(patches(&daemon, &mut backend).await, [by_id]);
    let because = reasons(&daemon, "deployments/deployment:of-pipeline").await;
    assert!(because[1].contains("by its id, which the backend may not know"), "{because:?}");
}

#[tokio::test]
async fn a_mark_stays_where_its_removal_could_reach_another_deployment() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&by_version(&backend)).await;
    let first = deploy(&daemon, "v1", "08:00", json!({})).await;
    fail(&daemon).await;
    assert_eq!(patches(&daemon, &mut backend).await, [patch("v1", true)]);
    let id = json!({ "id": "deployment:of-pipeline" });
    deploy(&daemon, "v1", "07:00", id.clone()).await;
    withdraw(&daemon).await;
    assert_eq!(patches(&daemon, &mut backend).await, []);
    let because = reasons(&daemon, &format!("deployments/{first}")).await;
    assert!(because[1].contains("its mark stays"), "{because:?}");
    deploy(&daemon, "v7", "07:00", id).await;
    assert_eq!(patches(&daemon, &mut backend).await, [patch("v1", false)], "the version is its own again");
}

#[tokio::test]
async fn a_mark_that_waits_is_given_up_when_its_version_becomes_shared() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(429, &[("x-ratelimit-reset", "60")])]);
    let daemon = Daemon::start(&by_version(&backend)).await;
    deploy(&daemon, "v1", "08:00", json!({})).await;
    fail(&daemon).await;
    assert_eq!(told(&[backend.next().await]), [patch("v1", true)]);
    daemon.until(|store| store.answered_with(429) > 0).await;
    deploy(&daemon, "v1", "07:00", json!({})).await;
    assert_eq!(patches(&daemon, &mut backend).await, []);
}

#[tokio::test]
async fn a_deployment_that_is_sent_is_marked_by_its_id() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&(by_version(&backend) + "deployments = true\n")).await;
    let id = deploy(&daemon, "v1", "08:00", json!({})).await;
    fail(&daemon).await;
    let requests = patches(&daemon, &mut backend).await;
    assert_eq!(requests[1], (format!("PATCH deployments/{id}"), json!({ "change_failure": true })));
    assert!(
        reasons(&daemon, &format!("deployments/{id}")).await[1].contains("this program sends the deployment")
    );
}

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
change_failures = "by_version"
"#;

const LIVES: u64 = 25;
const STEPS: usize = 60;

/// A random deployment with one of many versions, so that most versions name one.
fn with_own_version(rng: &mut Rng) -> Deployment {
    let version = (rng.u8(..5) > 0).then(|| format!("v{}", rng.u8(..200)));
    Deployment { version, ..deployment(rng) }
}

/// Name under which the model of the backend keeps a mark by version.
fn name(deployment: &Deployment) -> Option<String> {
    let version = deployment.version.as_deref()?;
    Some([&deployment.service, &deployment.env, version].join("/"))
}

#[tokio::test]
async fn final_marks_by_version_follow_from_the_final_facts() {
    let mut marked = 0;
    for seed in 0..cases(LIVES) {
        let (mut rng, folder) = (Rng::with_seed(seed), tempfile::tempdir().unwrap());
        let mut life = Life::open(&folder.path().join("store.db"), CONFIGURATION, with_own_version);
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for _ in 0..STEPS {
            life.step(&mut rng).await;
            for deployment in life.facts.deployments.values() {
                if let Some(name) = name(deployment) {
                    owners.entry(name).or_default().insert(deployment.id.to_string());
                }
            }
        }
        life.drain().await;
        // A name that two deployments had, at whatever times, may keep a mark.
        let is_own = |name: &String| owners.get(name).is_none_or(|owners| owners.len() == 1);
        let mut wanted: BTreeMap<String, Mark> = BTreeMap::new();
        for (id, mark) in life.facts.marks(&settings(CONFIGURATION).policy) {
            let deployed = &life.facts.deployments[&id];
            let Some(name) = name(deployed) else {
                wanted.insert(id, mark);
                continue;
            };
            let by_version = mark.map(|(fixed_by, kind)| {
                let version = life.facts.deployments[&fixed_by].version.clone();
                (version.unwrap_or(fixed_by), kind)
            });
            if is_own(&name) {
                wanted.insert(name, by_version);
            }
        }
        let mut found = life.datadog.marks();
        found.retain(|name, _| {
            is_own(name) && life.facts.deployments.get(name).is_none_or(|it| it.version.is_none())
        });
        assert_eq!(found, wanted, "seed {seed}");
        marked += wanted.len();

        // The same facts once more, in any order, cause no request.
        let requests = life.datadog.requests;
        let mut deployments: Vec<_> = life.facts.deployments.values().cloned().collect();
        rng.shuffle(&mut deployments);
        for deployment in deployments {
            life.record_deployment(deployment).await;
        }
        for failure in life.facts.failures.values().cloned().collect::<Vec<_>>() {
            life.submit(failure).await;
        }
        life.drain().await;
        assert_eq!(life.datadog.requests, requests, "seed {seed}");
    }
    assert!(marked as u64 > cases(20), "{marked}");
}
