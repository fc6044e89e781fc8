//! A log that nobody reads or that cannot be written does not stop the program. The log's format and level.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, PipeReader, Read, Write, pipe};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::engine::ports_and_store;
use crate::harness::{Backend, PATIENCE, SECRET, client, event_of, eventually};
use crate::process::{Listening, PROGRAM, Process};
use crate::store_probe::Probe;

/// A daemon whose standard error the test does not read.
struct Unread {
    child: Child,
    listening: Listening,
    folder: TempDir,
    backend: Backend,
}

impl Unread {
    async fn start(stderr: impl Into<Stdio>) -> Self {
        Self::start_with("[log]\nlevel = \"debug\"\n", stderr).await
    }

    async fn start_with(configuration: &str, stderr: impl Into<Stdio>) -> Self {
        let (folder, backend) = (tempfile::tempdir().unwrap(), Backend::start().await);
        let config = configured(folder.path(), &format!("{configuration}{}", backend.entry("metrics")));
        let mut child = serve(&config).env_remove("RUST_LOG").stderr(stderr).spawn().unwrap();
        let listening = listening(&mut child).await;
        Self { child, listening, folder, backend }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listening.admin)
    }

    /// Checks that it works: failures are received, forwarded and recorded as sent.
    async fn works(&mut self) {
        for n in 0..5 {
            assert_eq!(self.listening.deliver("signed, and no JSON").await, 202);
            assert_eq!(
                self.listening.deliver(&event_of("incident.resolved", &format!("QUNREAD{n:04}"))).await,
                202
            );
            self.backend.next().await;
        }
        Probe::open(&self.store()).until(Probe::is_all_sent).await;
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("pagerduty-dora.db")
    }

    /// The value of a metric without labels.
    async fn metric(&self, name: &str) -> f64 {
        let text = client().get(self.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Ends it by SIGTERM, and checks that it exits 0.
    fn ends(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(exit_status(&mut self.child), Some(0));
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exit_status(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::yield_now();
    }
}

/// Addresses of a program whose log cannot be read, once the program is ready.
async fn listening(child: &mut Child) -> Listening {
    let client = client();
    let is_ready = async |address: SocketAddr| {
        let answer = client.get(format!("http://{address}/readyz")).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    };
    eventually("a program that is ready", async || {
        assert_eq!(child.try_wait().unwrap(), None, "it has ended");
        let [one, other] = sockets(child.id())[..] else { return None };
        for (public, admin) in [(one, other), (other, one)] {
            if is_ready(admin).await {
                return Some(Listening { public, admin });
            }
        }
        None
    })
    .await
}

/// The addresses of 127.0.0.1 that a process listens on (`proc_pid_fd(5)`, `proc_pid_net(5)`).
fn sockets(pid: u32) -> Vec<SocketAddr> {
    const IS_LISTENING: &str = "0A";
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    let own: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let socket = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let is_own = own.contains(&format!("socket:[{}]", columns.get(9)?));
        let port = u16::from_str_radix(columns[1].rsplit(':').next()?, 16).ok()?;
        (is_own && columns[3] == IS_LISTENING).then(|| SocketAddr::from(([127, 0, 0, 1], port)))
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// A configuration file with any ports, a store and this text.
fn configured(folder: &Path, text: &str) -> PathBuf {
    written(folder, &(ports_and_store(folder) + text))
}

/// A configuration file with this text.
fn written(folder: &Path, text: &str) -> PathBuf {
    let config = folder.join("config.toml");
    std::fs::write(&config, text).unwrap();
    config
}

fn serve(config: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["--config", config.to_str().unwrap(), "serve"]).env("PAGERDUTY_SIGNING_SECRET", SECRET);
    command
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// A full pipe that nobody reads.
fn stalled() -> (PipeReader, Stdio) {
    let (reader, mut writer) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    for bytes in [4096, 1] {
        let error =
            std::iter::repeat_with(|| writer.write(&vec![b'x'; bytes])).find_map(Result::err).unwrap();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    // The program writes to it in blocking mode, as usual.
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer.into())
}

#[tokio::test]
async fn a_closed_pipe_as_the_log_stops_nothing() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut daemon = Unread::start(writer).await;
    daemon.works().await;
    assert!(daemon.metric("pagerduty_dora_log_lines_dropped_total").await > 0.0);
    daemon.ends();
}

#[tokio::test]
async fn a_log_on_a_full_disk_stops_nothing() {
    let mut daemon = Unread::start(full()).await;
    daemon.works().await;
    assert!(daemon.metric("pagerduty_dora_log_lines_dropped_total").await > 0.0);
    daemon.ends();
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_stops_nothing_and_its_lines_are_not_lost() {
    let (mut reader, writer) = stalled();
    let mut daemon = Unread::start(writer).await;
    daemon.works().await;
    assert!(daemon.metric("pagerduty_dora_log_lines_dropped_total").await < 1.0, "the lines wait");
    // The pipe is read again.
    let read = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    daemon.ends();
    let text = read.join().unwrap();
    assert!(text.contains("\"message\":\"ready\"") && text.contains("stopped after"), "{text}");
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_does_not_keep_the_program_from_ending() {
    let (_reader, writer) = stalled();
    let mut daemon = Unread::start(writer).await;
    daemon.ends();
}

#[test]
fn a_failed_start_keeps_its_exit_status_with_any_log() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = configured(folder.path(), "[serve]\n");
    let status =
        |config: &Path, stderr: Stdio| exit_status(&mut serve(config).stderr(stderr).spawn().unwrap());
    assert_eq!(status(&wrong, full().into()), Some(2));
    let (_reader, writer) = stalled();
    assert_eq!(status(&wrong, writer), Some(2));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken =
        ports_and_store(folder.path()).replacen("127.0.0.1:0", &taken.local_addr().unwrap().to_string(), 1);
    let taken = written(folder.path(), &taken);
    let (_reader, writer) = stalled();
    assert_eq!(status(&taken, writer), Some(1));
}

#[test]
fn commands_survive_outputs_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path(), "");
    let run = |arguments: &[&str], stdout: Stdio, stderr: Stdio| {
        let mut command = Command::new(PROGRAM);
        command.args(["--config", config.to_str().unwrap()]).args(arguments);
        exit_status(&mut command.stdout(stdout).stderr(stderr).spawn().unwrap())
    };
    let closed = || Stdio::from(pipe().unwrap().1);
    assert_eq!(run(&["config", "show"], closed(), closed()), Some(0));
    assert_eq!(run(&["config", "show"], full().into(), full().into()), Some(1), "the result was lost");
    assert_eq!(run(&["failures"], closed(), closed()), Some(1));
    assert_eq!(run(&["failures"], full().into(), full().into()), Some(1));
}

/// Starts a daemon, ends it, and returns the lines of its log.
fn lines(configuration: &str, rust_log: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path(), configuration);
    let mut child = serve(&config).env("RUST_LOG", rust_log).stderr(Stdio::piped()).spawn().unwrap();
    let (pid, mut log) = (child.id().to_string(), String::new());
    let mut stderr = child.stderr.take().unwrap();
    let mut buffer = [0; 4096];
    loop {
        let length = stderr.read(&mut buffer).unwrap();
        log.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        if length == 0 {
            break;
        }
        if log.contains("ready") {
            assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
            stderr.read_to_string(&mut log).unwrap();
        }
    }
    assert_eq!(exit_status(&mut child), Some(0), "{log}");
    log.lines().map(str::to_owned).collect()
}

#[test]
fn the_json_log_begins_with_starting_and_ends_with_stopped() {
    let lines: Vec<Value> = lines("", "")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    for line in &lines {
        assert!(["timestamp", "level", "message"].iter().all(|key| line[key].is_string()), "{line}");
    }
    let first = &lines[0];
    assert_eq!((&first["message"], &first["level"]), (&"starting".into(), &"INFO".into()));
    assert_eq!((&first["version"], &first["backends"]), (&env!("CARGO_PKG_VERSION").into(), &"none".into()));
    assert_eq!(first["schema"], 3);
    for key in ["configuration", "store", "webhooks", "admin"] {
        assert!(first[key].is_string(), "{key}: {first}");
    }
    let last = lines.last().unwrap();
    assert!(last["message"].as_str().unwrap().starts_with("stopped after "), "{last}");
}

#[test]
fn the_log_has_the_configured_format_and_rust_log_overrides_its_level() {
    let text = lines("[log]\nformat = \"text\"\n", "");
    assert!(text[0].contains(" INFO starting version=\""), "{text:?}");
    // RUST_LOG overrides the configured level.
    assert!(!lines("[log]\nlevel = \"error\"\n", "info").is_empty());
}

#[tokio::test]
async fn the_log_has_the_lines_of_its_level_and_above() {
    for (level, expected, forbidden) in [
        ("debug", &["DEBUG", "INFO"][..], &["TRACE"][..]),
        ("info", &["INFO"], &["DEBUG"]),
        ("error", &[], &["DEBUG", "INFO", "WARN"]),
    ] {
        let log = tempfile::NamedTempFile::new().unwrap();
        let configuration = format!("[log]\nlevel = \"{level}\"\n");
        let mut daemon = Unread::start_with(&configuration, log.reopen().unwrap()).await;
        daemon.works().await;
        daemon.ends();
        let text = std::fs::read_to_string(log.path()).unwrap();
        let has = |level: &&&str| text.contains(&format!("\"level\":\"{level}\""));
        assert!(expected.iter().all(|level| has(&level)), "{level}: {text}");
        assert!(!forbidden.iter().any(|level| has(&level)), "{level}: {text}");
    }
}

#[test]
fn errors_in_the_configuration_are_plain_text() {
    let folder = tempfile::tempdir().unwrap();
    let config = written(folder.path(), "[log]\nformat = \"json\"\nlevel = \"loud\"\n");
    let output = serve(&config).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("pagerduty-dora: ") && stderr.contains("config.toml:3"), "{stderr}");
    let mut process = Process::spawn(&configured(
        folder.path(),
        "[log]\nformat = \"json\"\n[pagerduty]\nsigning_secrets = []\n",
    ));
    let (status, stderr) = process.wait();
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("pagerduty-dora: "), "{stderr}");
}
