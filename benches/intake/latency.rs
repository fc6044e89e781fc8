//! Time from the 202 for a resolve to the request at an idle backend.

use std::time::{Duration, Instant};

use crate::client;
use crate::load::{self, Load};
use crate::servers::Daemon;

const LIVES: usize = 300;

pub(crate) fn run() -> anyhow::Result<()> {
    let daemon = Daemon::start(Load::Lives, None)?;
    let mut took = Vec::new();
    for mut life in load::requests(Load::Lives, LIVES, 3 * LIVES) {
        let resolve = life.split_off(2);
        client::run(daemon.address(), vec![life])?;
        client::run(daemon.address(), vec![resolve])?;
        let answered = Instant::now();
        let arrived = daemon.next_arrival()?;
        // Zero if the request arrived before we read the clock.
        took.push(arrived.saturating_duration_since(answered));
    }
    daemon.stop()?;
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or(Duration::MAX);
    println!("from the 202 for a resolve to the request at an idle backend, {LIVES} times:");
    println!("p50 {:?}, p99 {:?}", at(50), at(99));
    Ok(())
}
