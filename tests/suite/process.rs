//! The real program in a process of its own, which can be killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pagerduty_dora::pagerduty::signature::sign;

use crate::harness::{PATIENCE, SECRET, client};

/// A daemon's process. Dropped, it is killed: a test that fails leaves nothing behind.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    /// What it said on standard error, as far as that was read.
    said: String,
}

/// Where a daemon that is ready listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listening {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Listening {
    /// Delivers a webhook, signed.
    pub(crate) async fn deliver(self, body: &str) -> u16 {
        let signature = sign(&SECRET.to_owned().into(), body.as_bytes());
        let url = format!("http://{}/webhooks/pagerduty", self.public);
        let request = client().post(url).header("x-pagerduty-signature", signature).body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    }
}

impl Process {
    /// Begins `serve`.
    pub(crate) fn spawn(config: &Path) -> Self {
        Self::spawn_under(Command::new(env!("CARGO_BIN_EXE_pagerduty-dora")), config)
    }

    /// The same by a command that becomes the program, in the same process.
    pub(crate) fn spawn_under(mut command: Command, config: &Path) -> Self {
        let mut child = command
            .args(["--config", config.to_str().unwrap(), "serve"])
            .env("PAGERDUTY_SIGNING_SECRET", SECRET)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        // Read to the end whoever listens: a pipe that nobody empties would stop the program.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines, said: String::new() }
    }

    /// Starts `serve`, and returns once it says that it is ready.
    pub(crate) fn start(config: &Path) -> (Self, Listening) {
        let mut process = Self::spawn(config);
        let listening = process.ready(PATIENCE).unwrap_or_else(|| panic!("not ready: {}", process.said));
        (process, listening)
    }

    /// Waits until it says that it is ready; `None`: it did not in that time, or it ended.
    pub(crate) fn ready(&mut self, within: Duration) -> Option<Listening> {
        let deadline = Instant::now() + within;
        loop {
            let line = match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            };
            self.remember(&line);
            if line.contains("ready") {
                let address = |key| line.split(key).nth(1)?.split(' ').next()?.parse().ok();
                return Some(Listening { public: address("public=")?, admin: address("admin=")? });
            }
        }
    }

    /// Kills it as `kill -9` does, and returns what it had said.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9), "it ended before: {}", self.rest());
        self.rest()
    }

    /// Ends it in order.
    pub(crate) fn terminate(mut self) -> String {
        self.ask_to_end();
        let status = self.child.wait().unwrap();
        let said = self.rest();
        assert!(status.success(), "SIGTERM drains and exits 0, not {status}: {said}");
        said
    }

    /// Sends it SIGTERM.
    pub(crate) fn ask_to_end(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// All that it said, once it has ended.
    pub(crate) fn rest(&mut self) -> String {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.remember(&line);
        }
        std::mem::take(&mut self.said)
    }

    fn remember(&mut self, line: &str) {
        self.said.push_str(line);
        self.said.push('\n');
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only where it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
