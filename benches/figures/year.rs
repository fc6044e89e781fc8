//! A year of a large company, written by the program's own store, so that the rows are those of the program.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use pagerduty_dora::catalog;
use pagerduty_dora::clock::{Clock, SystemClock};
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::deployment::Deployment;
use pagerduty_dora::domain::id::DeploymentId;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::sources;
use pagerduty_dora::sources::pagerduty::{SOURCE, payload};
use pagerduty_dora::store::{Delivery, Settings, Store};
use pagerduty_dora::telemetry::metrics::Metrics;
use tokio::task::JoinSet;

pub(crate) const FAILURES: u64 = 1_000_000;
pub(crate) const DEPLOYMENTS: u64 = 1_000_000;
const YEAR: Duration = Duration::from_hours(365 * 24);
/// Number of PagerDuty services. The last few belong to two services each, or only to a team.
const SERVICES: u64 = 200;
const TWO_SERVICES_FROM: u64 = 190;
const TEAM_ALONE_FROM: u64 = 196;
/// Number of writes at the same time.
const WRITERS: u64 = 512;

/// Configuration that the program runs on.
pub(crate) fn configuration(store: &Path) -> String {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"{store}\"\n\
         [failure.severity]\nP1 = \"SEV-1\"\nP2 = \"SEV-2\"\n\
         [[rule]]\nname = \"low urgency is noise\"\nurgency = [\"low\"]\naction = \"ignore\"\n",
        store = store.display()
    );
    for service in 0..TEAM_ALONE_FROM {
        let second =
            if service < TWO_SERVICES_FROM { String::new() } else { format!(", {:?}", name(service - 50)) };
        let env = if service % 10 == 3 { "env = \"staging\"\n" } else { "" };
        let _ = write!(
            text,
            "[[service]]\npagerduty = \"PSVC{service:03}\"\nservices = [{:?}{second}]\nteam = {:?}\n{env}",
            name(service),
            team(service)
        );
    }
    text
}

fn name(service: u64) -> String {
    format!("service-{service:03}")
}

fn team(service: u64) -> String {
    format!("team-{:02}", service % 40)
}

/// Path of the store. It is built once, and again when the schema changes.
pub(crate) fn built() -> anyhow::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    include_str!("../../src/store/engine/migrations/0001_initial.sql").hash(&mut hasher);
    include_str!("../../src/store/engine/migrations/0002_listings.sql").hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let store = folder.join(format!("figures-{:016x}.db", hasher.finish()));
    if !store.exists() {
        println!("building {}", store.display());
        let building = store.with_extension("building");
        for left_over in ["building", "building-wal", "building-shm"] {
            let _ = std::fs::remove_file(store.with_extension(left_over));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(build(&building))?;
        std::fs::rename(&building, &store)?;
    }
    Ok(store)
}

async fn build(path: &Path) -> anyhow::Result<()> {
    let config = Config::parse(&configuration(path))?;
    let settings = Settings {
        policy: Arc::new(catalog::policy(&config)?),
        sources: sources::ALL,
        observer: Metrics::new([]),
        ..Settings::default()
    };
    let store = Store::open(path, settings)?;
    let since = SystemClock.now().saturating_sub(YEAR);
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (store, next) = (store.clone(), Arc::clone(&next));
        writers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= FAILURES.max(DEPLOYMENTS) {
                    return anyhow::Ok(());
                }
                if n % 100_000 == 0 {
                    println!("{n} of each");
                }
                write(&store, n, since).await?;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    let mut ended = store.ended();
    drop(store);
    // Waits until everything is folded and moved out of the WAL.
    ended.changed().await?;
    Ok(())
}

/// The n-th failure and the n-th deployment.
async fn write(store: &Store, n: u64, since: Timestamp) -> anyhow::Result<()> {
    if n < DEPLOYMENTS {
        store.record_deployment(deployment(n, since), SystemClock.now()).await?;
    }
    for body in if n < FAILURES { bodies(n, since) } else { Vec::new() } {
        let heading =
            payload::heading(body.as_bytes()).map_err(|error| anyhow::anyhow!("{error}: {body}"))?;
        let delivery = Delivery {
            source: &SOURCE,
            id: None,
            received_at: heading.occurred_at.unwrap_or(since),
            body: Bytes::from(body),
            reservation: None,
        };
        store.record(heading, delivery).await?;
    }
    Ok(())
}

/// Random numbers that depend only on `n` and `kind`, not on the writer.
fn dice(n: u64, kind: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ kind)
}

/// A random service. Few services have most of the failures and deployments.
fn service(dice: &mut fastrand::Rng) -> u64 {
    dice.u64(0..SERVICES).min(dice.u64(0..SERVICES + 40))
}

/// A time near the n-th part of the year, in whole seconds, so that some times are equal.
fn moment(n: u64, of: u64, since: Timestamp, dice: &mut fastrand::Rng) -> Timestamp {
    let seconds = n * YEAR.as_secs() / of + dice.u64(0..600);
    Timestamp::from_nanos(since.as_seconds() * 1_000_000_000).saturating_add(Duration::from_secs(seconds))
}

fn deployment(n: u64, since: Timestamp) -> Deployment {
    let mut dice = dice(n, 1);
    let service = service(&mut dice);
    let started_at = moment(n, DEPLOYMENTS, since, &mut dice);
    Deployment {
        id: deployment_id(n),
        service: name(service),
        team: Some(team(service)),
        env: if dice.u8(0..10) < 7 { "production" } else { "staging" }.to_owned(),
        started_at,
        finished_at: started_at.saturating_add(Duration::from_secs(dice.u64(0..900))),
        version: Some(format!("v1.{n}")),
        commit_sha: Some(format!("{:08x}{:032x}", n, dice.u128(..))),
        repository_url: Some(format!("https://github.com/acme/{}", name(service))),
        tags: BTreeSet::new(),
    }
}

fn deployment_id(n: u64) -> DeploymentId {
    let text = format!("api:{:032x}", dice(n, 2).u128(..));
    DeploymentId::parse(&text).unwrap_or_else(|| unreachable!("{text} is of the right letters"))
}

fn incident(n: u64) -> String {
    let mut dice = dice(n, 3);
    let letter = |_| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[dice.usize(..36)]);
    std::iter::once('Q').chain((0..13).map(letter)).collect()
}

/// Webhooks of an incident, in the order of sending.
fn bodies(n: u64, since: Timestamp) -> Vec<String> {
    let mut dice = dice(n, 4);
    let service = service(&mut dice);
    let created_at = moment(n, FAILURES, since, &mut dice);
    // Most are short, a few take days.
    let lasted =
        Duration::from_millis(60_000 << dice.u32(0..11)) + Duration::from_millis(dice.u64(0..600_000));
    let fate = dice.u16(0..1_000);
    let (kind, status, at) = match fate {
        0..4 => ("triggered", "triggered", created_at),
        _ => ("resolved", "resolved", created_at.saturating_add(lasted)),
    };
    let reason = match fate {
        4..12 => format!(
            r#"{{"type":"merge_resolve_reason","incident":{{"id":"{}","type":"incident_reference"}}}}"#,
            incident(n.saturating_sub(1))
        ),
        _ => "null".to_owned(),
    };
    let id = incident(n);
    let urgency = if dice.u8(0..10) == 0 { "low" } else { "high" };
    let priority = match dice.u8(0..5) {
        0 => "null".to_owned(),
        n => format!(r#"{{"id":"PPRIO0{n}","summary":"P{n}"}}"#),
    };
    let service = if service < TEAM_ALONE_FROM {
        format!(r#"{{"id":"PSVC{service:03}","summary":"Service {service}"}}"#)
    } else {
        "null".to_owned()
    };
    let mut bodies = vec![format!(
        r#"{{"event":{{"id":"01KB{n:018}0000","event_type":"incident.{kind}","resource_type":"incident","occurred_at":"{at}","agent":null,"client":null,"data":{{"id":"{id}","type":"incident","html_url":"https://acme.pagerduty.com/incidents/{id}","number":{n},"status":"{status}","incident_key":null,"created_at":"{created_at}","title":"error rate above 5 % for {} minutes ({n})","service":{service},"teams":[{{"id":"PTEAM01","summary":"team-07"}}],"priority":{priority},"urgency":"{urgency}","resolve_reason":{reason},"reopened_at":null,"incident_type":{{"name":"incident_default"}},"assignees":[]}}}}}}"#,
        n % 60
    )];
    if fate == 999 {
        let named = if dice.bool() {
            "none".to_owned()
        } else {
            deployment_id(n.saturating_sub(200)).as_str().to_owned()
        };
        bodies.push(format!(
            r#"{{"event":{{"id":"01KB{n:018}0001","event_type":"incident.annotated","resource_type":"incident","occurred_at":"{at}","agent":null,"client":null,"data":{{"incident":{{"id":"{id}","type":"incident_reference"}},"id":"PNOTE01","content":"deployment: {named}","trimmed":false,"type":"incident_note"}}}}}}"#
        ));
    }
    bodies
}
