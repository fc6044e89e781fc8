//! Intake while a client keeps requesting the figures.

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
/// Time between two rounds of a scrape, a page and a report: far shorter than in use.
const EVERY: Duration = Duration::from_secs(1);
/// A report is computed for each request. A scrape and a page may get cached figures that are a minute old.
const REPORT: &str = "/api/v1/report?since=90d&by=service&interval=week";

/// Measures on a copy of the store, because the events stay in it.
pub(crate) fn run(store: &Path) -> anyhow::Result<()> {
    let copy = store.with_extension("copy");
    std::fs::copy(store, &copy)?;
    let daemon = Daemon::start(&copy)?;
    println!(
        "{}, {CONNECTIONS} connections; a page, a scrape and a report of 90 days every {EVERY:?}",
        Load::Triggered.title()
    );
    println!("                 alone          with requests for figures");
    for _ in 0..ROUNDS {
        let alone = client::run(daemon.public, load::requests(Load::Triggered, CONNECTIONS, COUNT))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (admin, is_over) = (daemon.admin, Arc::clone(&stop));
        let reader = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                client::get(admin, "/metrics")?;
                client::get(admin, "/")?;
                client::get(admin, REPORT)?;
                thread::sleep(EVERY);
            }
            anyhow::Ok(())
        });
        let requests = load::requests(Load::Triggered, CONNECTIONS, COUNT);
        let with_figures = client::run(daemon.public, requests)?;
        stop.store(true, Ordering::Relaxed);
        reader.join().map_err(|_| anyhow::anyhow!("the client of the figures panicked"))??;
        println!("{}   {}", shown(&alone), shown(&with_figures));
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
