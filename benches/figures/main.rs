//! Time to compute the figures of a year with a million failures and a million deployments.
//!
//! `cargo bench --bench figures` builds the store once, by the program's own intake, and keeps it for the next time.
//! `-- build` does only that. `-- intake` measures intake while a client keeps requesting the figures.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

#[expect(dead_code, reason = "shared with the other benchmark, which needs more of it")]
#[path = "../intake/client.rs"]
mod client;
mod intake;
#[expect(dead_code, reason = "shared with the other benchmark, which needs more of it")]
#[path = "../intake/load.rs"]
mod load;
mod program;
mod year;

use std::time::{Duration, Instant};

use program::{Daemon, report};

/// Query for a year, by service and week.
const YEAR: &str = "since=365d&by=service&interval=week";
const COLD: usize = 5;
const WARM: usize = 20;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let has_argument = |word: &str| arguments.iter().any(|argument| argument == word);
    let store = year::built()?;
    if has_argument("build") {
        return Ok(());
    }
    if has_argument("intake") {
        return intake::run(&store);
    }
    println!("{} failures and {} deployments in one year", year::FAILURES, year::DEPLOYMENTS);
    let cold = (0..COLD).map(|_| timed(|| report(&store, &YEAR.split('&').collect::<Vec<_>>())));
    say("`report` of the year by service and week, each in a new process", cold)?;

    let daemon = Daemon::start(&store)?;
    println!("peak memory of a daemon that is just ready: {}", daemon.memory("VmHWM")?);
    for path in ["/metrics", "/", "/?days=90"] {
        say(&format!("GET {path}, the first time"), [timed(|| daemon.get(path))].into_iter())?;
        say(&format!("GET {path}, later"), (0..WARM).map(|_| timed(|| daemon.get(path))))?;
    }
    println!("peak memory so far: {}", daemon.memory("VmHWM")?);
    let path = format!("/api/v1/report?{YEAR}");
    say("GET /api/v1/report, the year", (0..COLD).map(|_| timed(|| daemon.get(&path))))?;
    println!("peak memory: {}", daemon.memory("VmHWM")?);
    Ok(())
}

/// Time that the work took.
fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}

/// Prints the median and the longest time.
fn say(what: &str, took: impl Iterator<Item = anyhow::Result<Duration>>) -> anyhow::Result<()> {
    let mut took = took.collect::<anyhow::Result<Vec<Duration>>>()?;
    took.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    match took.as_slice() {
        [] => anyhow::bail!("nothing was measured"),
        [once] => println!("{:>8.1} ms                  {what}", millis(*once)),
        [.., longest] => {
            let middle = took[took.len() / 2];
            println!("{:>8.1} ms, {:>8.1} at most {what}", millis(middle), millis(*longest));
        }
    }
    Ok(())
}
