//! The real program in its own process, which can be killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pagerduty_dora::sources::pagerduty::signature::sign;
use serde_json::Value;

use crate::harness::{PATIENCE, SECRET, client, eventually};

/// The program that was just built.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_pagerduty-dora");

/// A daemon's process. It is killed when this is dropped, so that a failed test leaves no process.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    /// Standard error of the program, read so far.
    stderr: String,
}

/// Addresses of a daemon that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listening {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Listening {
    /// Parses the log line `ready`. `None` for other lines.
    pub(crate) fn said(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let address = |key: &str| line.get(key)?.as_str()?.parse().ok();
        (line["message"] == "ready").then_some(Self { public: address("public")?, admin: address("admin")? })
    }

    /// Delivers a signed webhook.
    pub(crate) async fn deliver(self, body: &str) -> u16 {
        self.deliver_by(&client(), body).await
    }

    /// The same with this client, which keeps its connection.
    pub(crate) async fn deliver_by(self, client: &reqwest::Client, body: &str) -> u16 {
        let signature = sign(&SECRET.to_owned().into(), body.as_bytes());
        let url = format!("http://{}/webhooks/pagerduty", self.public);
        let request = client.post(url).header("x-pagerduty-signature", signature).body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    }

    /// Waits until it has compared the incidents with PagerDuty's REST API.
    pub(crate) async fn has_looked(self) {
        let (client, url) = (client(), format!("http://{}/metrics", self.admin));
        eventually("the end of a look", async || {
            let text = client.get(&url).send().await.unwrap().text().await.unwrap();
            let has_not = text.contains("\npagerduty_dora_reconciled_timestamp_seconds 0.0\n");
            (!has_not).then_some(())
        })
        .await;
    }
}

impl Process {
    /// Starts `serve`, and does not wait until it is ready.
    pub(crate) fn spawn(config: &Path) -> Self {
        Self::spawn_by(Command::new(PROGRAM), config)
    }

    /// The same, by a command that ends in the program's name and becomes the program.
    pub(crate) fn spawn_by(mut command: Command, config: &Path) -> Self {
        // The allocator as the systemd unit and the image set it.
        command.env("MALLOC_ARENA_MAX", "2").env("MALLOC_MMAP_THRESHOLD_", "131072");
        command.env("PAGERDUTY_SIGNING_SECRET", SECRET).env("RUST_LOG", "info");
        Self::spawn_with(command, config)
    }

    /// The same, with the environment of the command.
    pub(crate) fn spawn_with(mut command: Command, config: &Path) -> Self {
        let mut child = command
            .args(["--config", config.to_str().unwrap(), "serve"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        // Reads to the end even without a receiver: a full pipe would block the program.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines, stderr: String::new() }
    }

    /// Starts `serve`, and waits until it is ready.
    pub(crate) fn start(config: &Path) -> (Self, Listening) {
        Self::start_by(Command::new(PROGRAM), config)
    }

    /// The same, by a command that ends in the program's name and becomes the program.
    pub(crate) fn start_by(command: Command, config: &Path) -> (Self, Listening) {
        let mut process = Self::spawn_by(command, config);
        let listening = process.ready(PATIENCE).unwrap_or_else(|| panic!("not ready: {}", process.stderr));
        (process, listening)
    }

    /// Waits until it is ready. `None` if it ended, or is not ready within this time.
    pub(crate) fn ready(&mut self, within: Duration) -> Option<Listening> {
        let deadline = Instant::now() + within;
        loop {
            let line = match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            };
            self.remember(&line);
            if let Some(listening) = Listening::said(&line) {
                return Some(listening);
            }
        }
    }

    /// Kills it as `kill -9` does, and returns its standard error.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        let (status, stderr) = self.wait();
        assert_eq!(status.signal(), Some(9), "it ended before the kill: {stderr}");
        stderr
    }

    /// Ends it by SIGTERM, checks that it exits 0, and returns its standard error.
    pub(crate) fn terminate(self) -> String {
        let (status, stderr) = self.end();
        assert!(status.success(), "SIGTERM drains and exits 0, not {status}: {stderr}");
        stderr
    }

    /// Sends it SIGTERM, and returns its exit status and standard error. It may have ended before.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.wait()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        // Nobody has waited for the process yet, so the id is still its own.
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for a line on standard error that contains this text.
    pub(crate) fn line_with(&mut self, text: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {text:?}: {}", self.stderr));
            self.remember(&line);
            if line.contains(text) {
                return;
            }
        }
    }

    /// Waits until it has ended, and returns its exit status and standard error.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.remember(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.stderr),
            }
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.stderr))
    }

    fn remember(&mut self, line: &str) {
        self.stderr.push_str(line);
        self.stderr.push('\n');
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if the process has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
