//! Time of each listing in a store with two million failures and two million rows of the outbox.
//!
//! `cargo bench --bench listings` builds the store once, and keeps it for the next time.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pagerduty_dora::domain::failure::FailureState;
use pagerduty_dora::domain::timestamp::Timestamp;
use pagerduty_dora::store::{FailureFilter, OutboxFilter, Reader, RowState, SCHEMA};
use rusqlite::{Connection, params};

const FAILURES: u64 = 2_000_000;
/// Each has kinds of its own, so a filter by severity or env lets tens of thousands of kinds through.
const SERVICES: u64 = 10_000;
const TEAMS: u64 = 400;
/// 2025-11-30, and the time between two failures: they began within two years.
const FIRST_START_NS: i64 = 1_764_460_800_000_000_000;
const BETWEEN_NS: i64 = 31_536_000_000;
const ROUNDS: usize = 20;

fn main() -> anyhow::Result<()> {
    let path = built()?;
    let reader = Reader::open_several(&path, NonZeroUsize::MIN)?;
    println!(
        "{FAILURES} failures, {SERVICES} services; median and longest of {ROUNDS} times, in milliseconds"
    );
    let mut slowest: Option<(Duration, String)> = None;
    for (name, filter) in filters() {
        let (first, later) = pages(&reader, &filter)?;
        println!("{first}, a later page {later}  {name}");
        let median = first.median.max(later.median);
        if slowest.as_ref().is_none_or(|(slowest, _)| *slowest < median) {
            slowest = Some((median, name));
        }
    }
    if let Some((median, name)) = slowest {
        println!("{:>8.2}: the greatest of these medians, of {name}", millis(median));
    }
    for state in RowState::ALL.iter().copied().map(Some).chain([None]) {
        for backend in ["busy", "rare", "unknown"].map(Some).into_iter().chain([None]) {
            let filter = OutboxFilter {
                hides_discarded: false,
                state,
                backend: backend.map(str::to_owned),
                after: 0,
                limit: 100,
            };
            let took = times(|| Ok(reader.outbox(&filter).map(drop)?))?;
            println!("{took}  outbox {state:?} {backend:?}");
        }
    }
    println!("{}  quarantine", times(|| Ok(reader.quarantine(0, 100).map(drop)?))?);
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Times of a listing that was read several times. On a busy machine, the longest one says more about the machine.
struct Times {
    median: Duration,
    longest: Duration,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8.2} {:>8.2}", millis(self.median), millis(self.longest))
    }
}

fn times(mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Times> {
    let mut took = [Duration::ZERO; ROUNDS];
    for took in &mut took {
        let began = Instant::now();
        work()?;
        *took = began.elapsed();
    }
    took.sort_unstable();
    Ok(Times { median: took[ROUNDS / 2], longest: took[ROUNDS - 1] })
}

/// Times of the first page of a filter, and of a page in the middle of the store.
fn pages(reader: &Reader, filter: &FailureFilter) -> anyhow::Result<(Times, Times)> {
    let first = times(|| Ok(reader.failures(filter).map(drop)?))?;
    let middle = FIRST_START_NS + BETWEEN_NS * i64::try_from(FAILURES / 2)?;
    let later = FailureFilter { cursor: Some(format!("{middle}-{FAILURES}")), ..filter.clone() };
    Ok((first, times(|| Ok(reader.failures(&later).map(drop)?))?))
}

/// Each filter alone and together with the others: common, rare and unknown values.
fn filters() -> Vec<(String, FailureFilter)> {
    let states = [None, Some(FailureState::Completed), Some(FailureState::Open), Some(FailureState::Merged)];
    let services = [None, Some("service-00000"), Some("service-09999"), Some("unknown")];
    let teams = [None, Some("team-000"), Some("unknown")];
    let severities = [None, Some("SEV-3"), Some("SEV-1"), Some("SEV-0"), Some("unknown")];
    let envs = [None, Some("production"), Some("staging"), Some("preview-17"), Some("unknown")];
    let mut all = Vec::new();
    for state in states {
        for service in services {
            for team in teams {
                for severity in severities {
                    for env in envs {
                        let text = |text: Option<&str>| text.map(str::to_owned);
                        let filter = FailureFilter {
                            state,
                            service: text(service),
                            team: text(team),
                            env: text(env),
                            severity: text(severity),
                            since: None,
                            until: None,
                            limit: 100,
                            cursor: None,
                        };
                        let words = [service, team, severity, env].map(|word| word.unwrap_or("*"));
                        all.push((
                            format!("{} {}", state.map_or("*", FailureState::as_str), words.join(" ")),
                            filter,
                        ));
                    }
                }
            }
        }
    }
    let since = Some(Timestamp::from_nanos(FIRST_START_NS + BETWEEN_NS));
    let also_since: Vec<_> = all
        .iter()
        .map(|(name, filter)| (format!("{name} since"), FailureFilter { since, ..filter.clone() }))
        .collect();
    all.extend(also_since.into_iter().step_by(17));
    all
}

/// Path of the store.
fn built() -> anyhow::Result<PathBuf> {
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("listings-{SCHEMA}.db"));
    if !store.exists() {
        println!("building {}", store.display());
        let building = store.with_extension("building");
        let _ = std::fs::remove_file(&building);
        build(&building)?;
        std::fs::rename(&building, &store)?;
    }
    Ok(store)
}

/// Writes a store of the first schema, and has it migrated, so that the migration is measured as well.
fn build(path: &Path) -> anyhow::Result<()> {
    let mut db = Connection::open(path)?;
    db.execute_batch("PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    let transaction = db.transaction()?;
    transaction.execute_batch(include_str!("../src/store/engine/migrations/0001_initial.sql"))?;
    for n in 0..FAILURES {
        add(&transaction, n)?;
    }
    transaction.commit()?;
    let began = Instant::now();
    let transaction = db.transaction()?;
    transaction.execute_batch(include_str!("../src/store/engine/migrations/0002_listings.sql"))?;
    transaction.commit()?;
    println!("migrated in {:.1?}", began.elapsed());
    db.execute_batch(&format!("PRAGMA user_version = {SCHEMA}; PRAGMA journal_mode = WAL"))?;
    Ok(())
}

/// The n-th failure, and a row of the outbox for it.
fn add(db: &Connection, n: u64) -> anyhow::Result<()> {
    const FAILURE: &str = "INSERT INTO failure (id, failure_id, failure_key, state, started_at_ns, finished_at_ns,
        created_at_ns, duration_log2, counts_for, facts, evaluated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?5, 40, ?7, ?8, ?9)";
    const ROW: &str =
        "INSERT INTO outbox (backend, topic, failure, revision, state, created_at_ns, lane, action, body)
        VALUES (?1, 'failure', ?2, 1, ?3, 0, 'main', 'replace', x'7b7d')";
    let mut dice = fastrand::Rng::with_seed(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    // Few services have most of the failures.
    let service = dice.u64(0..SERVICES).min(dice.u64(0..SERVICES * 2)).min(dice.u64(0..SERVICES * 4));
    // The rarest service has a single failure.
    let service = if n == 7 { SERVICES - 1 } else { service.min(SERVICES - 2) };
    let severity = match dice.u32(0..200_000) {
        0 => "SEV-0",
        1..2_000 => "SEV-1",
        2_000..40_000 => "SEV-2",
        _ => "SEV-3",
    };
    let env = match dice.u32(0..1_000) {
        0 => format!("preview-{}", dice.u32(0..2_000)),
        1..100 => "staging".to_owned(),
        _ => "production".to_owned(),
    };
    let state = match dice.u32(0..1_000) {
        0 => "merged",
        1..100 => "ignored",
        _ if n > FAILURES - 2_000 && dice.bool() => "open",
        _ => "completed",
    };
    let started_at = FIRST_START_NS + BETWEEN_NS * i64::try_from(n)?;
    let finished_at = (state != "open").then_some(started_at + 1_800_000_000_000);
    let time = |ns: i64| Timestamp::from_nanos(ns).to_string();
    let (id, team) = (format!("pagerduty:Q{n:013}"), format!("team-{:03}", service % TEAMS));
    let evaluated = serde_json::json!({
        "id": id, "source": "pagerduty", "incident": format!("Q{n:013}"), "number": n,
        "title": "checkout: error rate above 5 % for ten minutes, p99 above 2 s",
        "url": format!("https://acme.pagerduty.com/incidents/Q{n:013}"), "state": state, "reason": null,
        "started_at": time(started_at), "finished_at": finished_at.map(time), "time_to_restore_seconds": 1800.0,
        "active_seconds": 1800.0, "acknowledged_at": time(started_at), "reopened": 0, "merged": [], "merged_into": null,
        "services": [format!("service-{service:05}")], "team": team, "env": env, "severity": severity,
        "priority": "P1", "urgency": "high", "attribution": "service entry", "flags": [], "deployment": null,
    });
    let counts_for =
        format!("[\"{state}\",[\"service-{service:05}\"],\"{team}\",\"{env}\",\"{severity}\",true]");
    let (row, facts) = (i64::try_from(n + 1)?, "x".repeat(600));
    let key = dice.i64(..);
    db.prepare_cached(FAILURE)?.execute(params![
        row,
        id,
        key,
        state,
        started_at,
        finished_at,
        counts_for,
        facts,
        evaluated.to_string()
    ])?;
    let (backend, row_state) = match dice.u32(0..100_000) {
        0 => ("rare", "dead"),
        1 => ("rare", "sent"),
        2..100 => ("busy", "dead"),
        100..200 => ("busy", "superseded"),
        _ => ("busy", "sent"),
    };
    db.prepare_cached(ROW)?.execute(params![backend, row, row_state])?;
    Ok(())
}
