//! `reevaluate`: past failures under the present configuration, with a running daemon and without one.

use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{Backend, Daemon, KEY, Program, stdout, story};
use crate::store_probe::Probe;

const BEFORE: &str = "";
const TODAY: &str = r#"
[failure.severity]
P1 = "SEV-1"

[[service]]
pagerduty = "PSVC003"
services = ["Mail delivery"]
tags = ["tier:1"]

[[rule]]
name = "search is not ours"
service = ["Search"]
action = "ignore"
"#;

/// Runs `reevaluate`, while the daemon runs or after it has ended.
fn reevaluate(program: &Program, configuration: &str, arguments: &[&str]) -> Output {
    program.run(configuration, &[&["reevaluate"], arguments].concat())
}

async fn severities(daemon: &Daemon) -> Vec<Value> {
    daemon.failures().await.iter().map(|failure| failure["severity"].clone()).collect()
}

async fn daemon_with_story(configuration: &str) -> Daemon {
    let daemon = Daemon::start(configuration).await;
    for webhook in story() {
        daemon.deliver(webhook).await;
        // Failures are listed in the order in which they were made.
        daemon.until_folded().await;
    }
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn past_failures_change_only_by_reevaluate() {
    let daemon = daemon_with_story(BEFORE).await.restart(TODAY).await;
    let program = Program::of(&daemon);
    assert!(
        !severities(&daemon).await.contains(&json!("SEV-1")),
        "a new configuration alone changes no failure"
    );

    let planned = stdout(&reevaluate(&program, TODAY, &["--dry-run"]));
    insta::assert_snapshot!(planned);
    assert!(!severities(&daemon).await.contains(&json!("SEV-1")), "a dry run changes nothing");
    let none = stdout(&reevaluate(&program, TODAY, &["--dry-run", "--since", "2026-11-03"]));
    assert_eq!(none, "0 of 0 failures would change.\n");

    let done = stdout(&reevaluate(&program, TODAY, &[]));
    assert_eq!(done.replace("changed.", "would change."), planned);
    assert!(severities(&daemon).await.contains(&json!("SEV-1")));
    let again: Value =
        serde_json::from_str(&stdout(&reevaluate(&program, TODAY, &["--format", "json"]))).unwrap();
    let nothing = json!({
        "changed": [], "looked_at": 13, "changed_deployments": [], "looked_at_deployments": 0, "dry_run": false,
    });
    assert_eq!(again, nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_with_another_configuration_refuses() {
    let daemon = daemon_with_story(BEFORE).await;
    let refused = reevaluate(&Program::of(&daemon), TODAY, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("restart it, then try again"));
    assert!(!severities(&daemon).await.contains(&json!("SEV-1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_daemon_the_store_changes_and_corrections_are_sent_later() {
    let mut backend = Backend::start().await;
    let daemon = daemon_with_story(&backend.entry("metrics")).await;
    daemon.until(Probe::is_drained).await;
    while backend.try_next().is_some() {}
    let program = Program::of(&daemon);
    let today = format!("{TODAY}{}", backend.entry("metrics"));
    let change = || {
        let output = reevaluate(&program, &today, &[]);
        assert!(stdout(&output).ends_with("10 of 13 failures changed.\n"));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains("no daemon answers") && !stderr.contains(KEY), "{stderr}");
    };
    let daemon = daemon.restart_after(&today, change).await;
    assert!(severities(&daemon).await.contains(&json!("SEV-1")));
    let sent = backend.next().await.attributes();
    assert!(sent["severity"] == "SEV-1" || sent.get("finished_at").is_none(), "{sent}");
}
