//! What the program itself takes: its memory when idle and under load, and how soon a backend hears of an end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::client;
use crate::load::{self, Load, SECRET};

const CONNECTIONS: usize = 256;
const COUNT: usize = 40_000;

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let config = folder.path().join("config.toml");
    fs::write(&config, "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n")?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .arg("--config")
        .arg(&config)
        .arg("serve")
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .stderr(Stdio::piped())
        .spawn()?;
    let measured = measure(&mut child);
    child.kill()?;
    child.wait()?;
    measured
}

fn measure(child: &mut Child) -> anyhow::Result<()> {
    let address = address(child)?;
    println!("idle: {}", resident(child.id(), "VmRSS")?);
    client::run(address, load::requests(Load::Triggered, CONNECTIONS, COUNT))?;
    println!("at the most, with {CONNECTIONS} connections: {}", resident(child.id(), "VmHWM")?);
    Ok(())
}

/// Where it listens, from what it says when it is ready.
fn address(child: &mut Child) -> anyhow::Result<SocketAddr> {
    let output = child.stderr.take().ok_or_else(|| anyhow::anyhow!("no standard error"))?;
    for line in BufReader::new(output).lines() {
        if let Some((_, rest)) = line?.split_once("public=") {
            let address = rest.split_whitespace().next().unwrap_or_default();
            return Ok(address.parse()?);
        }
    }
    anyhow::bail!("it ended before it was ready")
}

fn resident(pid: u32, field: &str) -> anyhow::Result<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Ok(line.unwrap_or_default().trim().to_owned())
}
