//! Speed at which waiting failures are sent once their backend accepts them again, and the effect on intake.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::client;
use crate::load::{self, Load};
use crate::memory::Process;
use crate::servers::runtime;

/// Number of failures that wait.
const WAITING: usize = 9_984;
const CONNECTIONS: usize = 16;
/// Number of events that are received meanwhile.
const MEANWHILE: usize = 16_000;
/// Longest wait for the outbox. A backend that refused our key gets one probe a minute.
const PATIENCE: Duration = Duration::from_secs(100);

/// Backend that refuses the key until `accepts_all` is set.
#[derive(Default)]
struct Backend {
    accepts_all: AtomicBool,
    accepted: AtomicUsize,
    first_and_last: Mutex<Option<(Instant, Instant)>>,
}

impl Backend {
    fn answer(&self) -> StatusCode {
        if !self.accepts_all.load(Ordering::Relaxed) {
            return StatusCode::UNAUTHORIZED;
        }
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut times = self.first_and_last.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, _) = times.unwrap_or((now, now));
        *times = Some((first, now));
        StatusCode::ACCEPTED
    }

    fn wait_until(&self, accepted: usize) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.accepted.load(Ordering::Relaxed) < accepted {
            anyhow::ensure!(began.elapsed() < PATIENCE, "the outbox does not drain");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (runtime, backend) = (runtime("backend")?, Arc::new(Backend::default()));
    let address = serve(&runtime, Arc::clone(&backend))?;
    let config = folder.path().join("config.toml");
    fs::write(
        &config,
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [[backend]]\nname = \"metrics\"\nkind = \"datadog\"\nurl = \"http://{address}\"\n\
             api_key = {{ value = \"key\" }}\nconcurrency = {CONNECTIONS}\n"
        ),
    )?;
    let process = Process::start(&config)?;
    client::run(process.address, load::requests(Load::Lives, CONNECTIONS, 3 * WAITING))?;
    let alone = client::run(process.address, load::requests(Load::Triggered, CONNECTIONS, MEANWHILE))?;

    let meanwhile = load::requests(Load::Triggered, CONNECTIONS, MEANWHILE);
    backend.accepts_all.store(true, Ordering::Relaxed);
    backend.wait_until(2)?;
    let draining = client::run(process.address, meanwhile)?;
    let accepted_meanwhile = backend.accepted.load(Ordering::Relaxed);
    backend.wait_until(WAITING)?;
    let times = *backend.first_and_last.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, last) = times.ok_or_else(|| anyhow::anyhow!("the backend accepted nothing"))?;
    let seconds = (last - first).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let per_second = WAITING as f64 / seconds;
    println!(
        "{WAITING} waiting failures, {CONNECTIONS} connections to the backend, intake at {CONNECTIONS} connections"
    );
    println!(
        "drained in {seconds:.2} s: {per_second:.0} a second; {accepted_meanwhile} of them while events were received"
    );
    println!("intake p99: {:?} alone, {:?} while draining", alone.p99, draining.p99);
    println!("intake a second: {:.0} alone, {:.0} while draining", alone.per_second, draining.per_second);
    println!("peak memory: {}", process.memory("VmHWM")?);
    Ok(())
}

fn serve(runtime: &Runtime, backend: Arc<Backend>) -> anyhow::Result<SocketAddr> {
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(move |_: Bytes| {
        let status = backend.answer();
        async move { status }
    });
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}
