//! Effect on intake of somebody who keeps asking for the figures.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::client::{self, Run};
use crate::load::{self, Load};
use crate::program::Daemon;

const CONNECTIONS: usize = 16;
const COUNT: usize = 40_000;
const ROUNDS: usize = 3;
/// A scrape, a page and a report as often as that: far more often than anybody looks.
const EVERY: Duration = Duration::from_secs(1);
/// Computed anew each time, where a scrape and a page may be answered with what was kept for a minute.
const REPORT: &str = "/api/v1/report?since=90d&by=service&interval=week";

/// On a copy: what comes in stays in it.
pub(crate) fn run(store: &Path) -> anyhow::Result<()> {
    let copy = store.with_extension("copy");
    std::fs::copy(store, &copy)?;
    let daemon = Daemon::start(&copy)?;
    println!(
        "{}, {CONNECTIONS} connections; a page, a scrape and a report of 90 days every {EVERY:?}",
        Load::Triggered.title()
    );
    println!("                 alone          beside the figures");
    for _ in 0..ROUNDS {
        let alone = client::run(daemon.public, load::requests(Load::Triggered, CONNECTIONS, COUNT))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (admin, is_over) = (daemon.admin, Arc::clone(&stop));
        let asking = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                client::get(admin, "/metrics")?;
                client::get(admin, "/")?;
                client::get(admin, REPORT)?;
                thread::sleep(EVERY);
            }
            anyhow::Ok(())
        });
        let requests = load::requests(Load::Triggered, CONNECTIONS, COUNT);
        let beside = client::run(daemon.public, requests)?;
        stop.store(true, Ordering::Relaxed);
        asking.join().map_err(|_| anyhow::anyhow!("the one who asks panicked"))??;
        println!("{}   {}", shown(&alone), shown(&beside));
    }
    drop(daemon);
    for left_over in ["copy", "copy-wal", "copy-shm", "copy.lock"] {
        let _ = std::fs::remove_file(store.with_extension(left_over));
    }
    Ok(())
}

fn shown(run: &Run) -> String {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    format!("{:>6.0}/s p50 {:.2} ms p99 {:.2} ms", run.per_second, millis(run.p50), millis(run.p99))
}
