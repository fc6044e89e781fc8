//! The program itself, as a command and as a daemon.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::client;
use crate::load::SECRET;
use crate::year;

fn program(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"));
    command.arg("--config").arg(config).env("PAGERDUTY_SIGNING_SECRET", SECRET);
    command
}

fn configuration(store: &Path) -> anyhow::Result<PathBuf> {
    let config = store.with_extension("toml");
    fs::write(&config, year::configuration(store))?;
    Ok(config)
}

/// `report` with these options, as JSON.
pub(crate) fn report(store: &Path, options: &[&str]) -> anyhow::Result<Vec<u8>> {
    let options = options.iter().map(|option| format!("--{option}"));
    let output = program(&configuration(store)?).args(["report", "--format=json"]).args(options).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// A daemon in a process of its own; killed when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Daemon {
    pub(crate) fn start(store: &Path) -> anyhow::Result<Self> {
        let mut child = program(&configuration(store)?)
            .arg("serve")
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()?;
        match addresses(&mut child) {
            Ok((public, admin)) => Ok(Self { child, public, admin }),
            Err(error) => {
                child.kill()?;
                Err(error)
            }
        }
    }

    /// Answer of the admin listener to a `GET`. Any answer but a 200 is an error.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        client::get(self.admin, path)
    }

    /// A line of `/proc/…/status`.
    pub(crate) fn memory(&self, field: &str) -> anyhow::Result<String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(line.unwrap_or_default().trim().to_owned())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Addresses of the listeners, from the log. Later lines are read, too, so that the daemon never waits for a
/// reader.
fn addresses(child: &mut Child) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let output = child.stderr.take().ok_or_else(|| anyhow::anyhow!("no standard error"))?;
    let mut lines = BufReader::new(output).lines();
    for line in lines.by_ref() {
        let line = line?;
        let after = |word: &str| Some(line.split_once(word)?.1.split('"').next()?.parse());
        if let (Some(public), Some(admin)) = (after("\"public\":\""), after("\"admin\":\"")) {
            std::thread::spawn(move || lines.for_each(drop));
            return Ok((public?, admin?));
        }
    }
    anyhow::bail!("the daemon ended before it was ready")
}
