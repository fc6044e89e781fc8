//! The program itself, and its memory when idle and under load.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::client;
use crate::load::{self, Load, SECRET};

const CONNECTIONS: usize = 256;
const COUNT: usize = 40_000;

pub(crate) fn run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let config = folder.path().join("config.toml");
    fs::write(&config, "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n")?;
    let process = Process::start(&config)?;
    println!("idle: {}", process.memory("VmRSS")?);
    client::run(process.address, load::requests(Load::Triggered, CONNECTIONS, COUNT))?;
    println!("peak with {CONNECTIONS} connections: {}", process.memory("VmHWM")?);
    Ok(())
}

/// The program, in a process of its own; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(config: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
            .arg("--config")
            .arg(config)
            .arg("serve")
            .env("PAGERDUTY_SIGNING_SECRET", SECRET)
            .env("RUST_LOG", "info,pagerduty_dora::forward=error")
            .stderr(Stdio::piped())
            .spawn()?;
        let address = address(&mut child);
        if address.is_err() {
            child.kill()?;
        }
        Ok(Self { address: address?, child })
    }

    /// A line of `/proc/…/status`.
    pub(crate) fn memory(&self, field: &str) -> anyhow::Result<String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(line.unwrap_or_default().trim().to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Address of the public listener, from the log. Later lines are read, too, so that the daemon never waits for a
/// reader.
fn address(child: &mut Child) -> anyhow::Result<SocketAddr> {
    let output = child.stderr.take().ok_or_else(|| anyhow::anyhow!("no standard error"))?;
    let mut lines = BufReader::new(output).lines();
    for line in lines.by_ref() {
        if let Some((_, rest)) = line?.split_once("\"public\":\"") {
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(rest.split('"').next().unwrap_or_default().parse()?);
        }
    }
    anyhow::bail!("the daemon ended before it was ready")
}
