//! A second host with a subscription of its own, the witness of `docs/second-host.md`: it holds the same failures and
//! figures as the first, and when the first dies it tells the backend what is missing there.
//!
//! `WITNESSES=100 cargo test second_host` tries more histories, others each time.

mod received;

use fastrand::Rng;
use serde_json::{Value, json};

use self::received::Received;
use crate::fake_pagerduty::{Webhook, random_world};
use crate::harness::{Backend, Daemon, KEY, Program, stdout};
use crate::store_probe::Probe;

/// Configuration of both hosts without their backends.
const SAME: &str = r#"
[[rule]]
name = "search is noise"
service = ["search"]
priority = ["P3"]
action = "ignore"

[failure.severity]
P1 = "SEV-1"
"#;

/// Number of random histories that share the hosts.
const WORLDS: u64 = 5;

/// The entry of the metrics backend.
fn metrics(backend: &Backend) -> String {
    backend.entry("metrics")
        + &format!("application_key = {{ value = \"{KEY}-2\" }}\n")
        + "deployments = true\nchange_failures = true\n"
}

/// The entry by which the first host forwards deployments to the witness.
fn to_witness(witness: &Daemon) -> String {
    format!(
        "[[backend]]\nname = \"witness\"\nkind = \"datadog\"\nurl = \"http://{}\"\napi_key = {{ value = \"{KEY}\" }}\n\
         deployments = true\nfailures = false\n",
        witness.public
    )
}

/// The webhooks of some random histories, in the order in which they occurred.
fn webhooks(seed: u64) -> Vec<Webhook> {
    let worlds = (0..WORLDS).map(|n| random_world(seed * WORLDS + n));
    let mut webhooks: Vec<Webhook> = worlds.flat_map(|world| world.webhooks()).collect();
    webhooks.sort_by_key(|webhook| (webhook.occurred_at, webhook.event_id.clone()));
    webhooks
}

/// A random deployment around the failures. Some replace an earlier one.
fn deployment(rng: &mut Rng) -> Value {
    let minute = rng.i64(0..80);
    let started_at = 1_793_490_000 + minute * 60;
    let version = rng.u8(1..=4);
    let service = ["checkout", "search", "payments"][rng.usize(..3)];
    let mut attributes = json!({
        "service": service, "started_at": started_at, "finished_at": started_at + rng.i64(0..300),
        "version": format!("v{version}"), "custom_tags": ["tier:1"],
    });
    if rng.bool() {
        attributes["id"] = format!("deployment-number-{}", rng.u8(..6)).into();
    }
    if rng.bool() {
        attributes["git"] = json!({
            "commit_sha": format!("{version}").repeat(40), "repository_url": "https://github.com/acme/shop",
        });
        attributes["team"] = "payments".into();
    }
    attributes
}

async fn deploy(daemon: &Daemon, attributes: &Value) {
    let body = json!({ "data": { "attributes": attributes } });
    let answer = daemon.events_api("POST", "/deployment", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Delivers webhooks in a random order, some of them twice, and sends deployments in between.
async fn deliver(daemon: &Daemon, webhooks: &[Webhook], deployments: &[Value], rng: &mut Rng) {
    let mut order: Vec<&Webhook> = webhooks.iter().collect();
    order.extend(webhooks.iter().filter(|_| rng.u8(..5) == 0));
    rng.shuffle(&mut order);
    let mut places: Vec<usize> = deployments.iter().map(|_| rng.usize(..=order.len())).collect();
    places.sort_unstable();
    let mut places = places.into_iter().zip(deployments).peekable();
    for n in 0..=order.len() {
        while let Some((_, deployment)) = places.next_if(|(place, _)| *place <= n) {
            deploy(daemon, deployment).await;
        }
        if let Some(webhook) = order.get(n) {
            assert_eq!(daemon.deliver(webhook.body.as_str()).await.status, 202);
        }
    }
    daemon.until_folded().await;
}

/// All that a host holds and computes, without what depends on its own sending.
async fn holds(daemon: &Daemon) -> Vec<Value> {
    let mut failures = daemon.failures().await;
    for failure in &mut failures {
        let failure = failure.as_object_mut().unwrap();
        failure.remove("revision");
        failure.remove("forwarded");
    }
    // Those with the same start are listed in the order of arrival.
    failures.sort_by_key(|failure| failure["id"].to_string());
    let mut held = vec![Value::Array(failures)];
    let mut deployments = daemon.get("/api/v1/deployments?limit=1000").await.json()["deployments"].clone();
    for deployment in deployments.as_array_mut().unwrap() {
        for linked in ["failures", "remediates"] {
            deployment[linked].as_array_mut().unwrap().sort_by_key(Value::to_string);
        }
    }
    deployments.as_array_mut().unwrap().sort_by_key(|deployment| deployment["id"].to_string());
    held.push(deployments);
    for by in ["none", "service", "team", "severity"] {
        let query = format!("?since=2026-10-31&until=2026-11-03&env=all&interval=day&by={by}");
        held.push(daemon.get(&format!("/api/v1/report{query}")).await.json());
    }
    held
}

/// Checks that two hosts hold the same. Shows only what differs.
fn assert_same(found: &[Value], expected: &[Value], described: &str) {
    for (found, expected) in found.iter().zip(expected) {
        let (found, expected) = (format!("{found:#}"), format!("{expected:#}"));
        let lines = found.lines().zip(expected.lines()).enumerate();
        let differing: Vec<_> = lines.filter(|(_, (found, expected))| found != expected).take(5).collect();
        assert!(found == expected, "{described}: {differing:#?}");
    }
    assert_eq!(found.len(), expected.len());
}

/// The requests that the backend has received since the last call, once nothing waits to be sent.
async fn sent(daemon: &Daemon, backend: &mut Backend, received: &mut Received) {
    daemon.until(|store| Probe::is_drained(store) && store.waiting_to_be_repeated() == 0).await;
    while let Some(request) = backend.try_next() {
        received.take(&request);
    }
}

#[test]
fn a_witness_holds_the_same_and_tells_what_the_first_host_could_not() {
    let count = std::env::var("WITNESSES").map_or(0, |count| count.parse().unwrap());
    let begin = std::env::var("SEED").ok().map(|seed| seed.parse().unwrap());
    let begin = begin.unwrap_or(if count > 0 { fastrand::u64(..1 << 30) } else { 0 });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut found = Met::default();
    for seed in begin..begin + if count > 0 { count } else { 4 } {
        println!("SEED={seed} WITNESSES=1");
        runtime.block_on(run(seed, &mut found));
    }
    assert!(count > 0 || found.is_all(), "the histories are too plain: {found:?}");
}

/// What the histories had, so that the test cannot become empty.
#[derive(Debug, Default)]
struct Met {
    /// Failures that only the witness told.
    only_by_witness: usize,
    /// Failures that both hosts told.
    by_both: usize,
    /// Failures that the first had told, and that do not count any more.
    taken_back: usize,
    marks: usize,
}

impl Met {
    fn is_all(&self) -> bool {
        let Self { only_by_witness, by_both, taken_back, marks } = *self;
        [only_by_witness, by_both, taken_back, marks].into_iter().all(|number| number > 0)
    }
}

async fn run(seed: u64, met: &mut Met) {
    let mut rng = Rng::with_seed(seed);
    let webhooks = webhooks(seed);
    let (before, after) = webhooks.split_at(rng.usize(webhooks.len() / 3..webhooks.len() * 2 / 3));
    let deployments: Vec<Value> = (0..rng.usize(8..16)).map(|_| deployment(&mut rng)).collect();
    let later: Vec<Value> = (0..4).map(|_| deployment(&mut rng)).collect();

    // Both hosts are up.
    let mut backend = Backend::start().await;
    let witness = Daemon::start(SAME).await;
    let first = Daemon::start(&(SAME.to_owned() + &metrics(&backend) + &to_witness(&witness))).await;
    deliver(&first, before, &deployments, &mut rng).await;
    deliver(&witness, before, &[], &mut rng).await;
    let mut received = Received::default();
    sent(&first, &mut backend, &mut received).await;
    assert_same(&holds(&witness).await, &holds(&first).await, "both are up");
    let told_by_first = received.clone();

    // The first gets some more, reaches the backend now and then, and dies.
    let refusals: [(u16, &[(&str, &str)]); 100] = [(503, &[]); 100];
    backend.will_answer(&refusals);
    deliver(&first, &after[..rng.usize(..=after.len())], &[], &mut rng).await;
    first.stop().await.unwrap();
    while let Some(request) = backend.try_next() {
        // The backend may have taken a request although its answer was an error, or got lost.
        if rng.bool() {
            received.take(&request);
        }
    }

    // The witness has all events, gets the address and the backend, and tells.
    deliver(&witness, after, &[], &mut rng).await;
    let mut backend = Backend::start().await;
    let configuration = SAME.to_owned() + &metrics(&backend);
    let witness = witness.restart(&configuration).await;
    deliver(&witness, &[], &later, &mut rng).await;
    // Not before the first event: a failure that ended earlier may have changed.
    let since = "2026-10-31T00:00:00Z";
    let told = Program::of(&witness).run(&configuration, &["outbox", "tell", "--since", since]);
    stdout(&told);
    let mut told_by_witness = Received::default();
    sent(&witness, &mut backend, &mut told_by_witness).await;
    received.add(&told_by_witness);

    // A host that never died, and got everything in order.
    let mut other = Backend::start().await;
    let reference = Daemon::start(&(SAME.to_owned() + &metrics(&other))).await;
    let all: Vec<Value> = deployments.iter().chain(&later).cloned().collect();
    deliver(&reference, &webhooks, &all, &mut rng).await;
    let mut expected = Received::default();
    sent(&reference, &mut other, &mut expected).await;
    assert_same(&holds(&witness).await, &holds(&reference).await, "the witness has taken over");
    compare(&reference, &received, &expected).await;
    let (first, witness) = (&told_by_first.failures, &told_by_witness.failures);
    met.only_by_witness += witness.keys().filter(|id| !first.contains_key(*id)).count();
    met.by_both += witness.iter().filter(|(id, held)| held.is_some() && first.contains_key(*id)).count();
    met.taken_back +=
        first.iter().filter(|(id, held)| held.is_some() && witness.get(*id) == Some(&None)).count();
    met.marks += expected.marks.len();
}

/// Checks that the backend holds what it would hold if no host had died.
async fn compare(reference: &Daemon, received: &Received, expected: &Received) {
    assert_eq!(received.deployments, expected.deployments);
    for failure in reference.failures().await {
        let id = failure["id"].as_str().unwrap();
        let held = received.failures.get(id).cloned().flatten();
        match failure["state"].as_str().unwrap() {
            // The backend may have an end of before the reopening. It is corrected when the failure ends.
            "open" => {}
            "completed" => {
                assert!(held.is_some(), "{id} is missing");
                assert_eq!(held, expected.failures[id].clone(), "{id}");
            }
            _ => assert_eq!(held, None, "{id} does not count"),
        }
    }
    let failed = expected.marks.iter().filter(|(_, mark)| mark["change_failure"] == true);
    for (id, mark) in failed {
        assert_eq!(received.marks.get(id), Some(mark), "{id}");
    }
}
