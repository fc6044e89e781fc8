//! A daemon under load for a while: its memory, descriptors and files stay level, and its queue drains.
//!
//! One minute in the suite; `SOAK_MINUTES=120` runs it for two hours, with a line of figures each minute.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

use crate::engine::{is_postgres, ports_and_store};
use crate::harness::{KEY, client, event_of};
use crate::process::{Listening, PROGRAM, Process};
use crate::store_probe::Probe;

/// Webhooks a second.
const RATE: u32 = 200;
/// Clients that send them.
const CLIENTS: u32 = 8;
/// Longest time for the queue to drain after the load, for each minute of it.
const DRAIN: Duration = Duration::from_mins(1);

/// A backend that answers 500 to three of ten requests while it is to fail.
async fn unreliable_backend(fails: Arc<AtomicBool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU64::new(0));
    let answer = move || {
        let fails_now = requests.fetch_add(1, Ordering::Relaxed) % 10 < 3 && fails.load(Ordering::Relaxed);
        std::future::ready(if fails_now { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK })
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// Figures of the process, as /metrics shows them.
#[derive(Debug, Clone, Copy)]
struct Figures {
    memory: f64,
    descriptors: f64,
    wal: f64,
    database: f64,
    pending: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, descriptors, wal, database, pending } = self;
        let mega = |bytes: &f64| bytes / 1e6;
        write!(
            f,
            "memory {:.1} MB, {descriptors} descriptors, WAL {:.1} MB, database {:.1} MB, {pending} rows wait",
            mega(memory),
            mega(wal),
            mega(database)
        )
    }
}

async fn figures(listening: Listening) -> Figures {
    let url = format!("http://{}/metrics", listening.admin);
    let text = client().get(url).send().await.unwrap().text().await.unwrap();
    let value = |series: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
    };
    Figures {
        memory: value("process_resident_memory_bytes"),
        descriptors: value("process_open_fds"),
        // The log of a server is not the program's.
        wal: if is_postgres() { 0.0 } else { value("pagerduty_dora_store_bytes{file=\"wal\"}") },
        database: value("pagerduty_dora_store_bytes{file=\"database\"}"),
        pending: value("pagerduty_dora_outbox_pending{backend=\"metrics\"}"),
    }
}

/// Sends webhooks at an even rate until the time is over. Returns how many were accepted.
async fn send(client_number: u32, listening: Listening, until: Instant) -> u64 {
    let mut ticks = interval(Duration::from_secs(1) * CLIENTS / RATE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (client, mut accepted) = (client(), 0);
    for number in 0.. {
        for event_type in ["incident.triggered", "incident.resolved"] {
            ticks.tick().await;
            if Instant::now() > until {
                return accepted;
            }
            let body = event_of(event_type, &format!("Q{client_number}SOAK{number:07}"));
            assert_eq!(listening.deliver_by(&client, &body).await, 202);
            accepted += 1;
        }
    }
    accepted
}

/// Runs reports, reloads and backups, as people and timers do.
async fn disturb(folder: &Path, listening: Listening, round: u64) {
    let client = client();
    for path in ["/api/v1/report?by=team", "/", "/api/v1/failures", "/api/v1/outbox?state=pending"] {
        let answer = client.get(format!("http://{}{path}", listening.admin)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap();
    }
    let file = folder.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (without, timeout) = (text.split("timeout").next().unwrap(), 10 + round % 2);
    std::fs::write(&file, format!("{without}timeout = \"{timeout}s\"\n")).unwrap();
    let reloaded = client.post(format!("http://{}/api/v1/reload", listening.admin)).send().await.unwrap();
    assert_eq!(reloaded.status(), 200);
    // A server of PostgreSQL has backups of its own.
    if round.is_multiple_of(3) && !is_postgres() {
        let (config, copy) = (file.to_str().unwrap().to_owned(), folder.join("copy.db"));
        let backup = tokio::task::spawn_blocking(move || {
            Command::new(PROGRAM).args(["--config", &config, "backup"]).arg(copy).output().unwrap()
        });
        let output = backup.await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_grows_under_a_steady_load() {
    let minutes: u32 = std::env::var("SOAK_MINUTES").map_or(1, |text| text.parse().unwrap());
    let fails = Arc::new(AtomicBool::new(true));
    let backend = unreliable_backend(Arc::clone(&fails)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(
        &file,
        format!(
            "{}[[backend]]\nname = \"metrics\"\n\
             kind = \"datadog\"\nurl = \"http://{backend}\"\napi_key = {{ value = \"{KEY}\" }}\ntimeout = \"10s\"\n",
            ports_and_store(folder.path())
        ),
    )
    .unwrap();
    let (process, listening) = Process::start(&file);
    let began = Instant::now();
    let until = began + minutes * Duration::from_mins(1);
    let clients: Vec<_> = (0..CLIENTS).map(|number| tokio::spawn(send(number, listening, until))).collect();
    let mut samples = Vec::new();
    let mut rounds = interval(Duration::from_secs(5));
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0_u64.. {
        rounds.tick().await;
        if Instant::now() > until {
            break;
        }
        disturb(folder.path(), listening, round).await;
        let now = figures(listening).await;
        if round.is_multiple_of(12) {
            println!("{:>5} s: {now}", began.elapsed().as_secs());
        }
        samples.push((began.elapsed(), now));
    }
    let mut accepted = 0;
    for client in clients {
        accepted += client.await.unwrap();
    }
    fails.store(false, Ordering::Relaxed);
    let drained_by = Instant::now() + minutes * DRAIN;
    while figures(listening).await.pending > 0.0 {
        assert!(Instant::now() < drained_by, "the queue does not drain");
        rounds.tick().await;
    }
    println!(
        "{accepted} webhooks, drained after {} s: {}",
        began.elapsed().as_secs(),
        figures(listening).await
    );

    let log = process.terminate();
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
    let probe = Probe::open(&folder.path().join("pagerduty-dora.db"));
    assert_eq!(probe.events(), i64::try_from(accepted).unwrap());
    probe.assert_intact();
    assert_level(&samples, minutes * Duration::from_mins(1));
}

/// Compares the last third of the time with the middle one. The first third warms up: caches, connections, and the first
/// files. Rounds become slower while the store grows, so thirds of the rounds are no thirds of the time.
fn assert_level(samples: &[(Duration, Figures)], whole: Duration) {
    let begin_of = |part| samples.partition_point(|(at, _)| *at < whole / 3 * part);
    let (middle, end) = (&samples[begin_of(1)..begin_of(2)], &samples[begin_of(2)..]);
    let most = |part: &[(Duration, Figures)], value: fn(&Figures) -> f64| {
        part.iter().map(|(_, figures)| value(figures)).fold(0.0, f64::max)
    };
    for (name, value, slack) in [
        ("memory", (|at| at.memory) as fn(&Figures) -> f64, 32e6),
        ("descriptors", |at| at.descriptors, 16.0),
        ("WAL", |at| at.wal, 16e6),
    ] {
        let (before, after) = (most(middle, value), most(end, value));
        assert!(after <= before * 1.1 + slack, "{name} grows from {before} to {after}: {samples:#?}");
    }
}
