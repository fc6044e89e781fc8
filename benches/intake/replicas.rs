//! One daemon on SQLite, and one and three replicas on each PostgreSQL that is named, under the same loads in the same run.
//!
//! `cargo bench --bench intake -- replicas postgres://USER@HOST/DATABASE …` needs the right to make schemas there, and removes
//! those that it has made. To see what a synchronous standby costs, name a server with one and a server without.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pagerduty_dora::Embedded;
use pagerduty_dora::clock::SystemClock;
use pagerduty_dora::config::Config;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use crate::client;
use crate::load::{self, Load, SECRET};
use crate::servers::runtime;

/// Connections of the load to each daemon, and events in all.
const CONNECTIONS: usize = 64;
const EVENTS: usize = 20_160;
/// Webhooks that come one after the other, and the time between them.
const PACED: usize = 2_000;
const EVERY: Duration = Duration::from_millis(5);
/// Longest wait until everything is folded.
const PATIENCE: Duration = Duration::from_mins(10);

/// The daemons that share a store.
struct Cluster {
    daemons: Vec<Embedded>,
    runtime: Runtime,
    /// The store, if it is a file.
    file: Option<PathBuf>,
    _folder: TempDir,
}

impl Cluster {
    /// Starts daemons on the database with this URL, or on a new file.
    fn start(url: Option<&str>, replicas: usize) -> anyhow::Result<Self> {
        let (runtime, folder) = (runtime("daemon")?, tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?);
        let file = url.is_none().then(|| folder.path().join("store.db"));
        let store = match (&file, url) {
            (Some(file), _) => format!("path = \"{}\"", file.display()),
            (None, url) => format!("url = \"{}\"", url.unwrap_or_default()),
        };
        let config = Config::parse(&format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\n{store}\n\
             [pagerduty]\nsigning_secrets = [{{ value = \"{SECRET}\" }}]\n"
        ))?;
        let start = |_| runtime.block_on(Embedded::start(config.clone(), Arc::new(SystemClock)));
        let daemons = (0..replicas).map(start).collect::<anyhow::Result<_>>()?;
        Ok(Self { daemons, runtime, file, _folder: folder })
    }

    /// Sends the load to all daemons at once. Returns the answers a second, and the events a second until all of them were
    /// folded.
    fn load(&self) -> anyhow::Result<(f64, f64)> {
        let share = |daemon: &Embedded| {
            let count = EVENTS / self.daemons.len();
            (daemon.public, load::requests(Load::Lives, CONNECTIONS, count))
        };
        let shares: Vec<_> = self.daemons.iter().map(share).collect();
        let events: usize = shares.iter().flat_map(|(_, requests)| requests).map(Vec::len).sum();
        let began = Instant::now();
        thread::scope(|scope| {
            let clients: Vec<_> = shares
                .into_iter()
                .map(|(address, requests)| scope.spawn(move || client::run(address, requests)))
                .collect();
            for client in clients {
                client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
            }
            anyhow::Ok(())
        })?;
        let answered = began.elapsed();
        self.until_folded()?;
        #[expect(clippy::cast_precision_loss, reason = "a few ten thousand")]
        let per_second = |time: Duration| events as f64 / time.as_secs_f64();
        Ok((per_second(answered), per_second(began.elapsed())))
    }

    /// Waits until all events are folded.
    fn until_folded(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.is_folded()? {
            anyhow::ensure!(began.elapsed() < PATIENCE, "the events are never folded");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn is_folded(&self) -> anyhow::Result<bool> {
        const IS_FOLDED: &str = "SELECT coalesce((SELECT value FROM progress WHERE name = 'folded_up_to'), 0)
            >= coalesce((SELECT max(id) FROM event), 0)";
        if let Some(file) = &self.file {
            return Ok(rusqlite::Connection::open(file)?.query_row(IS_FOLDED, [], |row| row.get(0))?);
        }
        let metrics = String::from_utf8(client::get(self.daemons[0].admin, "/metrics")?)?;
        Ok(metrics.lines().any(|line| line == "pagerduty_dora_unfolded 0"))
    }

    /// Sends webhooks at an even rate, to one daemon after the other. Returns the median time to the answer, and the time that
    /// one in a hundred exceeded.
    fn paced(&self) -> anyhow::Result<(Duration, Duration)> {
        let mut took = Vec::with_capacity(PACED);
        let webhooks = load::requests(Load::Triggered, 1, PACED).into_iter().flatten();
        for (webhook, daemon) in webhooks.zip(self.daemons.iter().cycle()) {
            let began = Instant::now();
            took.push(client::run(daemon.public, vec![vec![webhook]])?.p50);
            thread::sleep(EVERY.saturating_sub(began.elapsed()));
        }
        took.sort_unstable();
        let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
        Ok((at(50), at(99)))
    }

    fn stop(self) -> anyhow::Result<()> {
        let Self { daemons, runtime, .. } = self;
        daemons.into_iter().try_for_each(|daemon| runtime.block_on(daemon.stop()))
    }
}

pub(crate) fn run(urls: &[String]) -> anyhow::Result<()> {
    anyhow::ensure!(!urls.is_empty(), "name a PostgreSQL: -- replicas postgres://USER@HOST/DATABASE");
    println!(
        "{EVENTS} events of whole lives, {CONNECTIONS} connections to each daemon; then a webhook every {EVERY:?}"
    );
    println!("store                    replicas   answered/s   up to date/s       p50        p99");
    line("SQLite", None, 1)?;
    for (number, url) in urls.iter().enumerate() {
        for replicas in [1, 3] {
            let schema = format!("bench_{}_{number}_{replicas}", std::process::id());
            statement(url, &format!("CREATE SCHEMA {schema}"))?;
            let separator = if url.contains('?') { '&' } else { '?' };
            let measured = line(
                &format!("PostgreSQL {}", number + 1),
                Some(&format!("{url}{separator}options=-csearch_path%3D{schema}")),
                replicas,
            );
            statement(url, &format!("DROP SCHEMA {schema} CASCADE"))?;
            measured?;
        }
    }
    Ok(())
}

fn line(name: &str, url: Option<&str>, replicas: usize) -> anyhow::Result<()> {
    let cluster = Cluster::start(url, replicas)?;
    let (answered, folded) = cluster.load()?;
    let (p50, p99) = cluster.paced()?;
    cluster.stop()?;
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name:<24} {replicas:>8} {answered:>12.0} {folded:>14.0} {:>7.2}ms {:>8.2}ms",
        millis(p50),
        millis(p99)
    );
    Ok(())
}

/// Runs a statement on the server.
fn statement(url: &str, sql: &str) -> anyhow::Result<()> {
    let runtime = runtime("statement")?;
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let serving = tokio::spawn(connection);
        client.batch_execute(sql).await?;
        drop(client);
        serving.await??;
        Ok(())
    })
}
