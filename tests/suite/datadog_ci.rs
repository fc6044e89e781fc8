//! Datadog's own client, `datadog-ci dora deployment`, if it is installed.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::harness::{Daemon, KEY, Program, event_of, stdout};
use crate::node::{is_ready, script};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

pub(crate) fn is_client_ready() -> bool {
    let packages = ["@datadog/datadog-ci", "@datadog/datadog-ci-plugin-dora"];
    is_ready(&["node", "openssl"], &packages)
}

/// Accepts https for a daemon: see `tests/node/terminator.mjs`.
pub(crate) struct Terminator {
    process: Child,
    stdout: BufReader<ChildStdout>,
    port: u16,
    certificate: PathBuf,
    folder: TempDir,
}

impl Terminator {
    /// Starts one that loses this many answers.
    pub(crate) fn start(daemon: SocketAddr, lost: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = certify(folder.path());
        let mut process = Command::new("node")
            .arg(script("terminator.mjs"))
            .args([&certificate, &key])
            .args([daemon.to_string(), lost.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdout, mut line) = (BufReader::new(process.stdout.take().unwrap()), String::new());
        stdout.read_line(&mut line).unwrap();
        Self { process, stdout, port: line.trim().parse().unwrap(), certificate, folder }
    }

    /// Ends it, and returns its requests with the status of each answer.
    fn requests(mut self) -> Vec<String> {
        drop(self.process.stdin.take());
        self.stdout.by_ref().lines().map(Result::unwrap).collect()
    }

    /// The variables by which the client finds and trusts it, with `DD_SITE=localhost`.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        [
            ("HTTPS_PROXY", format!("http://127.0.0.1:{}", self.port)),
            ("NODE_EXTRA_CA_CERTS", self.certificate.to_str().unwrap().to_owned()),
        ]
    }

    /// Reports a deployment of the Checkout API at 09:30, as a pipeline does.
    fn send_deployment(&self, key: &str) -> Output {
        Command::new(script("node_modules/.bin/datadog-ci"))
            .args([
                "dora",
                "deployment",
                "--service",
                "Checkout API",
                "--env",
                "production",
                "--team",
                "Payments",
            ])
            .args(["--started-at", "2026-11-01T09:30:00Z", "--finished-at", "2026-11-01T09:36:00Z"])
            .args(["--version", "v1", "--git-commit-sha", SHA])
            .args(["--git-repository-url", "https://github.com/acme/checkout", "--custom-tags", "tier:1"])
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.folder.path())
            .env("DD_API_KEY", key)
            .env("DD_SITE", "localhost")
            .envs(self.variables())
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A new certificate for the host that the client connects to, and its key, in this folder.
fn certify(folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
        ])
        .args(["-subj", "/CN=api.localhost", "-addext", "subjectAltName=DNS:api.localhost"])
        .args(["-out".as_ref(), certificate.as_os_str(), "-keyout".as_ref(), key.as_os_str()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (certificate, key)
}

/// The report of the first of November, grouped by service, from the command line.
fn report(daemon: &Daemon) -> Value {
    let period = ["--since", "2026-11-01", "--until", "2026-11-02", "--by", "service"];
    let output = Program::of(daemon).run("", &[&["report", "--format", "json"], &period[..]].concat());
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_from_the_client_is_counted_and_linked() {
    if !is_client_ready() {
        return;
    }
    let daemon = Daemon::start("").await;
    let terminator = Terminator::start(daemon.public, 0);
    let output = block_in_place(|| terminator.send_deployment(KEY));
    assert!(stdout(&output).contains("Successfully sent"), "{output:?}");
    // Created at 10:00, resolved at 10:42:10.5.
    daemon.expect(event_of("incident.resolved", "QCLIENT001"), "accepted").await;
    let failure = daemon.failures().await[0].clone();
    let deployment = failure["deployment"].as_str().unwrap_or_else(|| panic!("not linked: {failure}"));
    assert_eq!(daemon.probe().commit_of_deployment(deployment).as_deref(), Some(SHA));
    let row = block_in_place(|| report(&daemon))["rows"][0].clone();
    assert_eq!(
        (&row["key"], &row["deployments"], &row["failed_deployments"], &row["change_fail_rate"]),
        (&json!("Checkout API"), &json!(1), &json!(1), &json!(1.0))
    );
    // From its end at 09:36 to 10:42:10.5.
    assert_eq!(row["failed_deployment_recovery_time_seconds"]["median"], 3970.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_resent_after_a_503_counts_once() {
    if !is_client_ready() {
        return;
    }
    let daemon = Daemon::start("").await;
    let terminator = Terminator::start(daemon.public, 1);
    let output = block_in_place(|| terminator.send_deployment(KEY));
    assert!(stdout(&output).contains("Successfully sent"), "{output:?}");
    assert_eq!(block_in_place(|| report(&daemon))["rows"][0]["deployments"], 1);
    assert_eq!(block_in_place(|| terminator.requests()), ["POST /api/v2/dora/deployment 200"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_fails_with_a_wrong_key() {
    if !is_client_ready() {
        return;
    }
    let daemon = Daemon::start("").await;
    let terminator = Terminator::start(daemon.public, 0);
    let output = block_in_place(|| terminator.send_deployment("a-wrong-key-of-the-right-length!"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(daemon.probe().deployments(), 0);
}
