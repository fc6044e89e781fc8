//! The two servers that are compared. Each is started anew for a run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use pagerduty_dora::Embedded;
use pagerduty_dora::clock::SystemClock;
use pagerduty_dora::config::Config;
use rusqlite::OpenFlags;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::client::{self, Run};
use crate::cpu::{Cpu, PerEvent};
use crate::load::{self, Load, SECRET};

/// Runtime like the program's own: a thread for each core.
pub(crate) fn runtime(name: &'static str) -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_name(name).build()?)
}

/// Sends the load from a thread of its own.
fn measure(
    address: SocketAddr,
    load: Load,
    connections: usize,
    count: usize,
) -> anyhow::Result<(Run, PerEvent)> {
    let requests = load::requests(load, connections, count);
    let before = Cpu::now();
    let client = thread::Builder::new().name("client".into()).spawn(move || {
        let run = client::run(address, requests)?;
        // Read before the thread ends, because the system then forgets the thread's CPU time.
        let cpu = before.since(run.answered);
        anyhow::Ok((run, cpu))
    })?;
    client.join().map_err(|_| anyhow::anyhow!("the client panicked"))?
}

/// A handler that only reads the body.
pub(crate) struct Bare {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Bare {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let runtime = runtime("bare")?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let address = listener.local_addr()?;
        let read = |body: Bytes| async move {
            std::hint::black_box(body.len());
            (StatusCode::ACCEPTED, "{\"status\":\"accepted\"}")
        };
        let router =
            Router::new().route("/webhooks/pagerduty", post(read)).route("/webhooks/github", post(read));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, _runtime: runtime })
    }

    pub(crate) fn measure(self, load: Load, connections: usize, count: usize) -> anyhow::Result<Run> {
        measure(self.address, load, connections, count).map(|(run, _)| run)
    }
}

/// Measurements of a run against the daemon.
pub(crate) struct Measured {
    /// The run, as the client saw it.
    pub(crate) run: Run,
    /// CPU time until the last answer.
    pub(crate) cpu: PerEvent,
    /// Time from the first request until every failure was up to date.
    pub(crate) folded_in: Duration,
}

/// The daemon, with a store on the disk.
pub(crate) struct Daemon {
    running: Embedded,
    runtime: Runtime,
    arrivals: mpsc::Receiver<Instant>,
    store: PathBuf,
    _folder: TempDir,
}

impl Daemon {
    /// Starts the daemon, with a backend if the load completes failures. `store` is an existing store to use.
    pub(crate) fn start(load: Load, store: Option<&Path>) -> anyhow::Result<Self> {
        let runtime = runtime("daemon")?;
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let (seen, arrivals) = mpsc::channel();
        let mut config = Config::parse(&configuration(load, &runtime, seen)?)?;
        let store = store.map_or_else(|| folder.path().join("store.db"), Path::to_owned);
        config.store.path = Some(store.clone());
        let running = runtime.block_on(Embedded::start(config, Arc::new(SystemClock)))?;
        Ok(Self { running, runtime, arrivals, store, _folder: folder })
    }

    pub(crate) fn measure(self, load: Load, connections: usize, count: usize) -> anyhow::Result<Measured> {
        self.wait_for_figures()?;
        let folded_before = self.folded_up_to()?;
        let began = Instant::now();
        let (run, cpu) = measure(self.running.public, load, connections, count)?;
        let preparing = began.elapsed().saturating_sub(run.took);
        while self.folded_up_to()? < folded_before + i64::try_from(run.answered)? {
            thread::sleep(Duration::from_millis(5));
        }
        let folded_in = began.elapsed().saturating_sub(preparing);
        self.stop()?;
        Ok(Measured { run, cpu, folded_in })
    }

    /// Waits for the figures that are computed once after a start: their CPU time does not belong to the events.
    fn wait_for_figures(&self) -> anyhow::Result<()> {
        client::get(self.running.admin, "/metrics").map(drop)
    }

    /// Number of the last event that was folded into its failure.
    fn folded_up_to(&self) -> anyhow::Result<i64> {
        let db = rusqlite::Connection::open_with_flags(&self.store, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        Ok(db.query_row(
            "SELECT coalesce(max(value), 0) FROM progress WHERE name = 'folded_up_to'",
            [],
            |row| row.get(0),
        )?)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.public
    }

    /// Time of the next request at the backend.
    pub(crate) fn next_arrival(&self) -> anyhow::Result<Instant> {
        Ok(self.arrivals.recv_timeout(Duration::from_secs(10))?)
    }

    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.runtime.block_on(self.running.stop())
    }
}

/// Configuration for the load. `seen` gets the time of each request at the backend.
fn configuration(load: Load, runtime: &Runtime, seen: mpsc::Sender<Instant>) -> anyhow::Result<String> {
    let base = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [pagerduty]\nsigning_secrets = [{{ value = \"{SECRET}\" }}]\n\
         [github]\nsigning_secrets = [{{ value = \"{SECRET}\" }}]\n"
    );
    if load != Load::Lives {
        return Ok(base);
    }
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    let router = Router::new().route(
        "/api/v2/dora/failure",
        post(move |_: Bytes| {
            let _ = seen.send(Instant::now());
            async { "{}" }
        }),
    );
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok(format!(
        "{base}[[backend]]\nname = \"metrics\"\nkind = \"datadog\"\nurl = \"http://{address}\"\n\
         api_key = {{ value = \"key\" }}\n"
    ))
}
