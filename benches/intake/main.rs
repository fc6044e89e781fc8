//! Durable intake compared with a handler that only reads the body, under the same load, in the same run.
//!
//! `cargo bench --bench intake` prints the ratio; `-- lives 64` chooses a load and a number of connections.
//! `-- million` measures with a million incidents in the store, `-- memory` the memory of the program itself,
//! `-- latency` how soon a backend gets the end of a failure, `-- drain` how fast waiting failures are sent,
//! `-- backfill` how fast a hundred thousand past incidents are read, and `-- replicas URL…` replicas on PostgreSQL.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod backfill;
mod client;
mod cpu;
mod drain;
mod latency;
mod load;
mod memory;
mod million;
mod replicas;
mod servers;

use client::Run;
use load::Load;
use servers::{Bare, Daemon, Measured};

/// Connections, and how many requests each run sends over all of them.
const CONNECTIONS: [(usize, usize); 4] = [(1, 3_000), (16, 40_000), (64, 80_000), (256, 80_000)];
/// Number of pairs of runs. The median pair is printed.
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    for argument in &arguments {
        match argument.as_str() {
            "replicas" => {
                let is_url = |argument: &&String| argument.contains("://");
                return replicas::run(&arguments.iter().filter(is_url).cloned().collect::<Vec<_>>());
            }
            "million" => return million::run(),
            "memory" => return memory::run(),
            "drain" => return drain::run(),
            "latency" => return latency::run(),
            "backfill" => return backfill::run(),
            _ => {}
        }
    }
    println!(
        "bodies of {:?} bytes in turn; each figure is the median of {ROUNDS} pairs of runs\n",
        load::BODY_BYTES
    );
    // Words choose loads, numbers choose connections. Without a word all loads run, without a number all connections.
    let words: Vec<&String> = arguments[1..].iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str, is_alternative: fn(&str) -> bool| {
        words.iter().all(|word| !is_alternative(word)) || words.iter().any(|word| *word == name)
    };
    let is_number = |word: &str| word.parse::<usize>().is_ok();
    let is_load = |word: &str| word.parse::<usize>().is_err();
    for load in [Load::Triggered, Load::Lives, Load::Deployments]
        .into_iter()
        .filter(|load| wanted(load.word(), is_load))
    {
        println!("{}", load.title());
        println!("{HEADING}");
        let chosen = |(connections, _): &(usize, usize)| wanted(&connections.to_string(), is_number);
        for (connections, count) in CONNECTIONS.into_iter().filter(chosen) {
            compare(load, connections, count)?;
        }
        println!();
    }
    Ok(())
}

const HEADING: &str =
    "connections      bare/s       p50       p99   |   durable/s       p50       p99   |   ratio";

fn compare(load: Load, connections: usize, count: usize) -> anyhow::Result<()> {
    let mut pairs = Vec::new();
    for _ in 0..ROUNDS {
        let bare = Bare::start()?.measure(load, connections, count)?;
        let durable = Daemon::start(load, None)?.measure(load, connections, count)?;
        pairs.push((durable.run.per_second / bare.per_second, bare, durable));
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, bare, Measured { run, cpu, folded_in }) = &pairs[ROUNDS / 2];
    println!("{connections:>11}  {}   |   {}   |   {ratio:.2}", columns(bare), columns(run));
    println!("             CPU time for each event: {cpu}");
    #[expect(clippy::cast_precision_loss, reason = "a few ten thousand")]
    let per_second = run.answered as f64 / folded_in.as_secs_f64();
    println!(
        "             {} events in {:.2} s; with all failures up to date {per_second:.0}/s",
        run.answered,
        run.took.as_secs_f64()
    );
    Ok(())
}

fn columns(run: &Run) -> String {
    let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    format!("{:>10.0}  {:>6.2}ms  {:>6.2}ms", run.per_second, millis(run.p50), millis(run.p99))
}
