//! "The one law" of `docs/failures.md`, on made-up histories: the store computes the same failures as the plain model
//! in `model.rs`, for any order of arrival, with duplicates and with restarts in between.
//!
//! `HISTORIES=100000 cargo test histories` tries more histories.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::http::FailureJson;
use pagerduty_dora::sources;
use pagerduty_dora::sources::pagerduty::{SOURCE, payload};
use pagerduty_dora::store::{Delivery, FailureFilter, Reader, Settings, Store};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::engine::{cases, is_postgres, store_address};
use crate::kill_under_load::number;
use crate::model::{Configured, IncidentEvent, Model};

/// Pairs of seeds that once failed: the seed of the store, and that of the history.
const ONCE_WRONG: [(u64, u64); 1] = [(909_346_968_762, 909_346_968_964)];

/// Number of histories that share a store and a configuration.
const HISTORIES_IN_A_STORE: usize = 250;

const RULES: &str = r#"
[[rule]]
name = "vip"
title = ["vip"]
action = "count"

[[rule]]
name = "low urgency"
urgency = ["low"]
action = "ignore"

[[rule]]
name = "service 2"
service = ["PSVC2"]
action = "ignore"
"#;

fn configured(rng: &mut Rng) -> Configured {
    Configured {
        start: ["created", "triggered", "acknowledged"][rng.usize(..3)],
        active_time: rng.bool(),
        first_service: rng.bool(),
        min_duration_millis: [0, 30_000][rng.usize(..2)],
        rules: rng.bool(),
    }
}

pub(crate) fn settings(configured: Configured) -> Settings {
    let Configured { start, active_time, first_service, min_duration_millis, rules } = configured;
    let text = format!(
        "[failure]\nstart = \"{start}\"\nreopened = \"{}\"\nservice = \"{}\"\nmin_duration = \"{}s\"\n{}",
        if active_time { "active_time" } else { "wall_clock" },
        if first_service { "first" } else { "last" },
        min_duration_millis / 1_000,
        if rules { RULES } else { "" },
    );
    Settings {
        policy: Arc::new(Config::parse(&text).unwrap().policy()),
        sources: sources::ALL,
        ..Settings::default()
    }
}

/// Events of up to four incidents, which may be merged, reopened and moved to other services. Some events are missing.
pub(crate) fn history(seed: u64, name: &str) -> Vec<IncidentEvent> {
    let mut rng = Rng::with_seed(seed);
    let incidents: Vec<String> = (0..rng.usize(1..=4)).map(|n| format!("Q{name}{n}")).collect();
    let mut events = Vec::new();
    for (number, incident) in incidents.iter().enumerate() {
        let created_at = rng.i64(0..60);
        let knows_creation = rng.u8(..8) > 0;
        for n in 0..rng.usize(1..=7) {
            let event_type = [
                "triggered",
                "acknowledged",
                "unacknowledged",
                "resolved",
                "resolved",
                "reopened",
                "priority_updated",
                "service_updated",
                "escalated",
                "annotated",
            ][rng.usize(..10)];
            // Few times, so that many events have the same time.
            let at = rng.i64(0..24) * 5_000 + [0, 250][rng.usize(..2)];
            let pick = |rng: &mut Rng, n: u8| rng.u8(..n) == 0;
            let target = incidents.get(rng.usize(..=incidents.len())).cloned();
            events.push(IncidentEvent {
                id: format!("01{name}{}{number}{n}", rng.alphanumeric()),
                incident: incident.clone(),
                event_type,
                at,
                created_at: (knows_creation && !pick(&mut rng, 4)).then_some(created_at),
                reopened_at: pick(&mut rng, 4).then(|| rng.i64(0..=at / 1_000) * 1_000),
                title: pick(&mut rng, 2).then(|| ["disk full", "vip: checkout down"][rng.usize(..2)]),
                service: pick(&mut rng, 2).then(|| rng.u32(1..=2)),
                urgency: pick(&mut rng, 2).then(|| ["high", "low"][rng.usize(..2)]),
                priority: pick(&mut rng, 2).then(|| [None, Some("P1"), Some("P2")][rng.usize(..3)]),
                merged_into: (event_type == "resolved" && pick(&mut rng, 2)).then(|| match target {
                    Some(target) => Some(target),
                    None => pick(&mut rng, 2).then(|| format!("Q{name}U")),
                }),
            });
        }
    }
    events
}

/// Records webhooks concurrently, so that many of them share a transaction. A few hundred at a time, because the store
/// refuses more.
pub(crate) async fn record(store: &Store, bodies: Vec<Vec<u8>>) {
    let received_at = Timestamp::parse("2026-11-02T00:00:00Z").unwrap();
    for chunk in bodies.chunks(500) {
        let mut recorded = JoinSet::new();
        for body in chunk {
            let heading = payload::heading(body).unwrap();
            let delivery = Delivery {
                source: &SOURCE,
                id: None,
                received_at,
                body: body.clone().into(),
                reservation: None,
            };
            let store = store.clone();
            recorded.spawn(async move { store.record(heading, delivery).await.map(drop) });
        }
        while let Some(recorded) = recorded.join_next().await {
            recorded.unwrap().unwrap();
        }
    }
}

pub(crate) async fn close(store: Store) {
    let mut ended = store.ended();
    drop(store);
    ended.wait_for(|ended| *ended != pagerduty_dora::store::WriterState::Running).await.unwrap();
}

/// Records everything in this order, with restarts in between, and returns the failures by incident.
async fn outcome(configured: Configured, bodies: Vec<Vec<u8>>, restarts: usize) -> BTreeMap<String, Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let part = bodies.len().div_ceil(restarts + 1).max(1);
    for bodies in bodies.chunks(part) {
        let store = Store::open(store_address(&path), settings(configured)).unwrap();
        record(&store, bodies.to_vec()).await;
        if is_postgres() {
            // What a process leaves is for other replicas. Here there is none.
            store.wait_until_folded().await;
        }
        close(store).await;
    }
    listed(&path)
}

/// Failures of a store, by incident.
pub(crate) fn listed(path: &Path) -> BTreeMap<String, Value> {
    let reader = Reader::open(store_address(path)).unwrap();
    let page = reader.failures(&FailureFilter { limit: 10_000_000, ..FailureFilter::default() }).unwrap();
    let keyed = page.failures.iter().map(|listed| {
        let incident = listed.failure.incident.clone().unwrap();
        let mut failure = serde_json::to_value(FailureJson::from(listed)).unwrap();
        // Other tests check these fields.
        failure.as_object_mut().unwrap().retain(|field, _| field != "revision" && field != "forwarded");
        (incident, failure)
    });
    keyed.collect()
}

/// Compares the failures of a store with those of the model. The error lists the differences.
pub(crate) fn compare(
    events: &[IncidentEvent],
    configured: Configured,
    found: &BTreeMap<String, Value>,
) -> Result<(), String> {
    let mut incidents: Vec<&str> = events.iter().map(|event| event.incident.as_str()).collect();
    incidents.sort_unstable();
    incidents.dedup();
    let model = Model { received: events, configured };
    for incident in &incidents {
        let expected = model.failure(incident, &incidents);
        let found = found.get(*incident).unwrap_or(&Value::Null);
        if expected.is_null() && found.is_null() {
            continue;
        }
        let differing = |(key, expected): (&String, &Value)| {
            let found = &found[key];
            (found != expected)
                .then(|| format!("{incident}: {key} is {found}, and the model says {expected}"))
        };
        let differences: Vec<String> = match expected.as_object() {
            Some(expected) => expected.iter().filter_map(differing).collect(),
            None => vec![format!("{incident} is {found}, and the model has no failure")],
        };
        if !differences.is_empty() {
            return Err(format!("{}\n{configured:?}\n{}", differences.join("\n"), lines(events)));
        }
    }
    Ok(())
}

/// The events of a history, by incident and time, one a line.
fn lines(events: &[IncidentEvent]) -> String {
    let mut sorted: Vec<&IncidentEvent> = events.iter().collect();
    sorted.sort_by_key(|event| (&event.incident, event.at));
    sorted.iter().map(|event| format!("{event:?}")).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_agree_with_the_model() {
    let wanted = number("HISTORIES").unwrap_or_else(|| cases(2_000));
    let beginning = fastrand::u64(..1 << 40);
    let fresh: Vec<u64> = (beginning..beginning + wanted).collect();
    let fresh = fresh.chunks(HISTORIES_IN_A_STORE).map(|seeds| (seeds[0], seeds.to_vec()));
    let stores = ONCE_WRONG.into_iter().map(|(store, history)| (store, vec![history])).chain(fresh);
    for (turn, (store_seed, seeds)) in stores.enumerate() {
        let mut rng = Rng::with_seed(store_seed);
        let configured = configured(&mut rng);
        let histories: Vec<Vec<IncidentEvent>> =
            seeds.iter().enumerate().map(|(n, seed)| history(*seed, &format!("{n:04}"))).collect();
        let mut bodies: Vec<Vec<u8>> = histories.iter().flatten().map(IncidentEvent::body).collect();
        let repeated = bodies.len() / 5;
        bodies.extend((0..repeated).map(|n| bodies[n * 5].clone()).collect::<Vec<_>>());
        rng.shuffle(&mut bodies);
        let found = outcome(configured, bodies, turn % 3).await;
        for (seed, events) in seeds.iter().zip(&histories) {
            if let Err(difference) = compare(events, configured, &found) {
                panic!("({store_seed}, {seed}):\n{difference}");
            }
        }
    }
}

/// An event of a story: its incident, its type, its second, and the incident that it merges into.
type Line<'a> = (&'a str, &'static str, i64, Option<&'a str>);

fn story(name: usize, lines: &[Line<'_>]) -> Vec<IncidentEvent> {
    let incident = |letter: &str| format!("Q{name:05}{letter}");
    let events = lines.iter().enumerate().map(|(n, (letter, event_type, second, target))| IncidentEvent {
        id: format!("01{name:05}{n}"),
        incident: incident(letter),
        event_type,
        at: second * 1_000,
        created_at: (*event_type == "triggered").then_some(*second),
        merged_into: target.map(|target| Some(incident(target))),
        ..IncidentEvent::default()
    });
    events.collect()
}

/// All orders of `n` things (Heap's algorithm, not recursive).
fn orders(n: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..n).collect();
    let (mut all, mut counters, mut i) = (vec![order.clone()], vec![0; n], 0);
    while i < n {
        if counters[i] < i {
            order.swap(if i % 2 == 0 { 0 } else { counters[i] }, i);
            all.push(order.clone());
            counters[i] += 1;
            i = 0;
        } else {
            counters[i] = 0;
            i += 1;
        }
    }
    all
}

/// All orders of `n` things, or on PostgreSQL some of them.
fn wanted_orders(n: usize) -> Vec<Vec<usize>> {
    let mut orders = orders(n);
    if is_postgres() {
        fastrand::shuffle(&mut orders);
        orders.truncate(usize::try_from(cases(orders.len() as u64)).unwrap());
    }
    orders
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_of_a_short_history_agrees_with_the_model() {
    const STORIES: [&[Line<'_>]; 6] = [
        &[("A", "triggered", 0, None), ("A", "acknowledged", 5, None), ("A", "resolved", 9, None)],
        &[
            ("A", "triggered", 0, None),
            ("A", "resolved", 5, None),
            ("A", "reopened", 7, None),
            ("A", "resolved", 9, None),
            ("A", "annotated", 9, None),
        ],
        // Merged, and the target ends later.
        &[
            ("A", "triggered", 0, None),
            ("B", "triggered", 2, None),
            ("A", "resolved", 5, Some("B")),
            ("B", "resolved", 9, None),
        ],
        // A chain of merges. A reopen undoes the first merge.
        &[
            ("A", "triggered", 0, None),
            ("A", "resolved", 4, Some("B")),
            ("B", "triggered", 2, None),
            ("B", "resolved", 5, Some("C")),
            ("C", "triggered", 3, None),
            ("A", "reopened", 6, None),
            ("C", "resolved", 9, None),
        ],
        // A cycle.
        &[
            ("A", "triggered", 0, None),
            ("A", "resolved", 4, Some("B")),
            ("B", "triggered", 2, None),
            ("B", "resolved", 5, Some("A")),
        ],
        // Resolved, then resolved again by a merge.
        &[
            ("A", "triggered", 1, None),
            ("B", "triggered", 0, None),
            ("A", "resolved", 4, None),
            ("A", "resolved", 6, Some("B")),
            ("B", "acknowledged", 3, None),
            ("B", "annotated", 5, None),
            ("B", "resolved", 9, None),
        ],
    ];
    let configured = Configured {
        start: "created",
        active_time: false,
        first_service: false,
        min_duration_millis: 0,
        rules: false,
    };
    for lines in STORIES {
        let orders = wanted_orders(lines.len());
        let stories: Vec<Vec<IncidentEvent>> = (0..orders.len()).map(|name| story(name, lines)).collect();
        // The first event of each order, then the second of each, and so on: each order is also an order of arrival.
        let body =
            |(order, story): (&Vec<usize>, &Vec<IncidentEvent>), turn: usize| story[order[turn]].body();
        let bodies = (0..lines.len())
            .flat_map(|turn| orders.iter().zip(&stories).map(move |pair| body(pair, turn)))
            .collect();
        let found = outcome(configured, bodies, 0).await;
        for events in &stories {
            compare(events, configured, &found).unwrap();
        }
    }
}
