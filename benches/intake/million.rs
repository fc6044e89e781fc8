//! A million incidents in the store: time of a start, and speed of intake.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::load::Load;
use crate::servers::Daemon;

const INCIDENTS: usize = 1_000_000;
const CONNECTIONS: usize = 64;
const COUNT: usize = 60_000;
const ROUNDS: usize = 3;

pub(crate) fn run() -> anyhow::Result<()> {
    let store = built()?;
    println!("ready with {INCIDENTS} incidents in the store:");
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let daemon = Daemon::start(Load::Triggered, Some(&store))?;
        println!("{:>6} ms", began.elapsed().as_millis());
        daemon.stop()?;
    }
    println!("\n{}, {CONNECTIONS} connections", Load::Triggered.title());
    println!("      empty/s   with a million/s   ratio");
    for _ in 0..ROUNDS {
        let measure =
            |store| Daemon::start(Load::Triggered, store)?.measure(Load::Triggered, CONNECTIONS, COUNT);
        let (empty, full) = (measure(None)?, measure(Some(&store))?);
        let ratio = full.run.per_second / empty.run.per_second;
        println!("{:>13.0}   {:>16.0}   {ratio:>5.2}", empty.run.per_second, full.run.per_second);
        let folded_ratio = empty.folded_in.as_secs_f64() / full.folded_in.as_secs_f64();
        println!(
            "      with all failures up to date: {folded_ratio:.2}; CPU time for each event: {}",
            full.cpu
        );
    }
    Ok(())
}

/// Path of the store, which the daemon builds once. Every run adds 180,000 incidents to it, so quote only the results
/// of the first run on a new store.
fn built() -> anyhow::Result<PathBuf> {
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("million.db");
    if !store.exists() {
        let building = store.with_extension("building");
        for left_over in ["building", "building-wal", "building-shm"] {
            let _ = std::fs::remove_file(store.with_extension(left_over));
        }
        let parts = 10;
        for part in 1..=parts {
            let daemon = Daemon::start(Load::Triggered, Some(&building))?;
            daemon.measure(Load::Triggered, 256, INCIDENTS / parts)?;
            println!("building the store: {part} of {parts} parts");
        }
        std::fs::rename(&building, &store)?;
    }
    Ok(store)
}
