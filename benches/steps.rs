//! The steps of one webhook alone: signature, parsing, folding, evaluation; then the loading of a catalog. The best of
//! several rounds.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use pagerduty_dora::catalog;
use pagerduty_dora::config::Config;
use pagerduty_dora::domain::evaluate::evaluate_alone;
use pagerduty_dora::domain::history::History;
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::sources::pagerduty::payload;
use pagerduty_dora::sources::pagerduty::signature::{SigningSecrets, sign};
use secrecy::SecretString;

const RESOLVED: &[u8] = include_bytes!("../fixtures/pagerduty/incident.resolved.json");
const ROUNDS: usize = 7;
const REPEATS: u32 = 20_000;

fn main() -> anyhow::Result<()> {
    let secret = SecretString::from("a-signing-secret-for-the-benchmark");
    let secrets = SigningSecrets::new([&secret]);
    let signature = sign(&secret, RESOLVED);
    let event = payload::parse(RESOLVED)?;
    let incident = event.subject.as_ref().map(|subject| subject.incident.clone());
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
    load_catalog()
}

/// Ten thousand services in one file, from the disk to their indexes.
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
    let best = took.into_iter().min().unwrap_or_default();
    println!("{:>34}: {best:.0?} ({} KiB)", "load a catalog of 10,000 services", text.len() / 1024);
    Ok(())
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
