//! Times of the single steps of a webhook (signature, parsing, folding, evaluation), of loading a catalog, and of a
//! deployment that is reported late. Each is the best of several rounds.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pagerduty_dora::backend::{Backend, Outgoing};
use pagerduty_dora::catalog;
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::deployment::Deployment;
use pagerduty_dora::domain::evaluate::evaluate_alone;
use pagerduty_dora::domain::forwarding::Destination;
use pagerduty_dora::domain::history::History;
use pagerduty_dora::domain::id::{DeploymentId, FailureId};
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::domain::submission::Submission;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::sources;
use pagerduty_dora::sources::pagerduty::payload;
use pagerduty_dora::sources::pagerduty::signature::{SigningSecrets, sign};
use pagerduty_dora::store::{Settings, Store};
use pagerduty_dora::telemetry::metrics::Metrics;
use secrecy::SecretString;

const RESOLVED: &[u8] = include_bytes!("../fixtures/pagerduty/incident.resolved.json");
const ROUNDS: usize = 7;
const REPEATS: u32 = 20_000;

fn main() -> anyhow::Result<()> {
    let secret = SecretString::from("a-signing-secret-for-the-benchmark");
    let secrets = SigningSecrets::new([&secret]);
    let signature = sign(&secret, RESOLVED);
    let event = payload::parse(RESOLVED)?;
    let incident = event.about_incident().map(|about| about.incident.clone());
    let incident = incident.ok_or_else(|| anyhow::anyhow!("the fixture is about an incident"))?;
    let policy = Policy { default_env: "production".to_owned(), ..Policy::default() };
    let folded = || {
        let mut history = History::default();
        history.insert(&event, event.occurred_at);
        history
    };
    let history = folded();
    println!("a body of {} bytes", RESOLVED.len());
    measure("verify the signature", || {
        secrets.check(std::iter::once(signature.as_bytes()), RESOLVED).is_ok()
    });
    measure("parse the body's heading", || payload::heading(RESOLVED).is_ok());
    measure("parse all of it", || payload::parse(RESOLVED).is_ok());
    measure("the same as a generic JSON value", || {
        serde_json::from_slice::<serde_json::Value>(RESOLVED).is_ok()
    });
    measure("fold the event into a history", || !folded().is_empty());
    measure("evaluate the failure", || evaluate_alone(&incident, &history, &policy).is_some());
    measure("write the history as JSON", || serde_json::to_string(&history).is_ok());
    load_catalog()?;
    tokio::runtime::Runtime::new()?.block_on(late_deployment())
}

/// Time to load ten thousand services from one file into the indexes.
fn load_catalog() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut text = String::new();
    for n in 0..10_000 {
        write!(
            text,
            "---\napiVersion: v3\nkind: service\nmetadata:\n  name: service-{n}\n  owner: team-{}\n  description: does \
             one thing\n  tags: [\"tier:{}\", \"language:rust\"]\nintegrations:\n  pagerduty:\n    serviceURL: \
             https://acme.pagerduty.com/service-directory/P{n:06}\nspec:\n  lifecycle: production\n",
            n % 300,
            n % 4
        )?;
    }
    std::fs::write(folder.path().join("catalog.yaml"), &text)?;
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[failure]\ncatalog = [\"catalog.yaml\"]\n")?;
    let config = Config::read(&file)?;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        anyhow::ensure!(black_box(catalog::load(&config)?).catalog.len() == 10_000, "entities are missing");
        took.push(began.elapsed());
    }
    let best = took.into_iter().min().context("no round was run")?;
    println!("{:>34}: {best:.0?} ({} KiB)", "load a catalog of 10,000 services", text.len() / 1024);
    Ok(())
}

/// Time to store a deployment that caused a thousand failures and is reported after them, and all rows that follow: a
/// row for each new link, for one backend, and a row for the mark of the deployment, for another backend.
async fn late_deployment() -> anyhow::Result<()> {
    const FAILURES: usize = 1_000;
    const BACKENDS: &str = "[[backend]]\nname = \"http\"\nkind = \"http\"\nurl = \"http://127.0.0.1:9\"\n\
        [[backend]]\nname = \"datadog\"\nkind = \"datadog\"\nurl = \"http://127.0.0.1:9\"\n\
        api_key = { value = \"a\" }\napplication_key = { value = \"b\" }\n\
        deployments = true\nchange_failures = true\n";
    let config = Config::parse(BACKENDS)?;
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let backends = config
            .backend
            .iter()
            .map(|entry| Backend::from_config(entry, &Outgoing::default()))
            .collect::<Result<Vec<_>, _>>()?;
        let destinations = backends.into_iter().map(|backend| Arc::new(backend) as Arc<dyn Destination>);
        let settings = Settings {
            policy: Arc::new(config.policy()),
            destinations: destinations.collect(),
            sources: sources::ALL,
            observer: Metrics::new([]),
            ..Settings::default()
        };
        let store = Store::open(&folder.path().join("store.db"), settings)?;
        let first_at = Timestamp::parse("2026-11-01T10:00:00Z")?;
        for n in 0..FAILURES {
            let started_at = first_at.saturating_add(Duration::from_secs(n as u64));
            store.submit(submission(n, started_at)?, started_at).await?;
        }
        let began = Instant::now();
        store.record_deployment(deployment(first_at)?, first_at).await?;
        took.push(began.elapsed());
    }
    let best = took.into_iter().min().context("no round was run")?;
    println!("{:>34}: {best:.0?}", format!("a late deployment of {FAILURES} failures"));
    Ok(())
}

fn submission(n: usize, started_at: Timestamp) -> anyhow::Result<Submission> {
    let id = FailureId::parse(&format!("failure-of-benchmark:{n:04}"));
    Ok(Submission {
        id: id.ok_or_else(|| anyhow::anyhow!("no id"))?,
        services: vec!["checkout".to_owned()],
        team: None,
        env: "production".to_owned(),
        started_at,
        finished_at: Some(started_at.saturating_add(Duration::from_mins(10))),
        name: Some("checkout: error rate above 5 %".to_owned()),
        severity: None,
        version: None,
        commit_sha: None,
        repository_url: None,
        tags: BTreeSet::new(),
        in_the_future: false,
    })
}

fn deployment(begin: Timestamp) -> anyhow::Result<Deployment> {
    let started_at = begin.saturating_sub(Duration::from_mins(20));
    Ok(Deployment {
        id: DeploymentId::parse("deployment:is-late").ok_or_else(|| anyhow::anyhow!("no id"))?,
        service: "checkout".to_owned(),
        team: None,
        env: "production".to_owned(),
        started_at,
        finished_at: begin.saturating_sub(Duration::from_mins(10)),
        version: Some("v1".to_owned()),
        commit_sha: None,
        repository_url: None,
        tags: BTreeSet::new(),
    })
}

fn measure(step: &str, mut work: impl FnMut() -> bool) {
    let rounds = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        for _ in 0..REPEATS {
            black_box(work());
        }
        began.elapsed() / REPEATS
    });
    println!("{:>8} ns  {step}", rounds.min().unwrap_or_default().as_nanos());
}
