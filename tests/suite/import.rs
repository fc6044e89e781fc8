//! `import datadog`: what a fake of Datadog holds, with a running daemon and without one.

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use crate::backends::entry;
use crate::deployments::deploy;
use crate::fake_datadog::{FakeDatadog, deployment, failure};
use crate::harness::{Backend, Daemon, Program, event_of, stdout, time};
use crate::store_probe::Probe;

const IMPORT: [&str; 6] = ["import", "datadog", "--since", "2026-01-01", "--until", "2026-11-19"];

fn run(program: &Program, configuration: &str, more: &[&str]) -> Output {
    program.run(configuration, &[&IMPORT[..], more].concat())
}

/// The output as JSON.
fn summary(program: &Program, configuration: &str, more: &[&str]) -> Value {
    let output = run(program, configuration, &[&["--format", "json"], more].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn counts(found: usize, added: usize, changed: usize, kept: usize) -> Value {
    json!({ "found": found, "added": added, "changed": changed, "kept": kept })
}

/// A fake that holds three failures and three deployments of some months.
async fn some() -> FakeDatadog {
    let datadog = FakeDatadog::start().await;
    datadog.held(|held| {
        held.failures = vec![
            failure(
                "2775a2d3-6c28-4934-ae60-0ef9ce3720e1",
                "2026-02-01T10:00:00Z",
                Some("2026-02-01T10:30:00Z"),
            ),
            failure(
                "2775a2d3-6c28-4934-ae60-0ef9ce3720e2",
                "2026-06-01T10:00:00Z",
                Some("2026-06-01T10:20:00Z"),
            ),
            failure("2775a2d3-6c28-4934-ae60-0ef9ce3720e3", "2026-11-01T10:00:00Z", None),
        ];
        held.deployments = vec![
            deployment("2a47b5f25b160b81", "2026-02-01T09:30:00Z", "1.0.0"),
            deployment("2a47b5f25b160b82", "2026-06-01T09:30:00Z", "1.1.0"),
            deployment("abc-123", "2026-11-01T09:30:00Z", "1.2.0"),
        ];
    });
    datadog
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_an_import_then_does_and_nobody_is_told() {
    let (datadog, mut http) = (some().await, Backend::start().await);
    let configuration = datadog.entry("datadog") + &entry(&http, "http");
    let daemon = Daemon::start(&configuration).await;
    let program = Program::of(&daemon);
    let planned = stdout(&run(&program, &configuration, &["--dry-run"]));
    insta::assert_snapshot!(planned, @r"
    KIND         FOUND  ADDED  CHANGED  KEPT
    failures         3      3        0     0
    deployments      3      3        0     0

    Read what started from 2026-01-01 00:00 to 2026-11-19 00:00. A dry run: nothing was changed.
    KEPT: unchanged since an earlier import, or stored here before by a webhook or the event API.
    Added failures that have not ended: 1.
    ");
    assert!(daemon.failures().await.is_empty());
    let done = stdout(&run(&program, &configuration, &[]));
    assert!(done.contains("failures         3      3        0     0"), "{done}");
    let failures = daemon.failures().await;
    assert_eq!(failures.len(), 3);
    // The failures have their own ids, are linked to the deployments, and are no news for any backend.
    assert_eq!(failures[2]["id"], "2775a2d3-6c28-4934-ae60-0ef9ce3720e1");
    assert_eq!(failures[2]["deployment"], "2a47b5f25b160b81");
    assert_eq!(failures[2]["time_to_restore_seconds"], 1800.0);
    daemon.until(Probe::is_drained).await;
    assert_eq!(daemon.probe().sent(), 0);
    assert!(http.is_quiet());
    // Nor later, by a restart or a second import.
    let daemon = daemon.restart(&configuration).await;
    let program = Program::of(&daemon);
    let again = summary(&program, &configuration, &[]);
    assert_eq!([&again["failures"], &again["deployments"]], [&counts(3, 0, 0, 3), &counts(3, 0, 0, 3)]);
    daemon.until(Probe::is_drained).await;
    assert_eq!(daemon.probe().sent(), 0);
    assert!(http.is_quiet());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_at_datadog_is_replaced_and_what_a_pipeline_or_a_webhook_told_stays() {
    let datadog = some().await;
    let configuration = datadog.entry("datadog");
    let daemon = Daemon::start("").await;
    // The same deployment under another id, from a pipeline, and an incident that Datadog was told of by this program.
    deploy(
        &daemon,
        "1.1.0",
        "08:00",
        json!({ "service": "shopist", "started_at": "2026-06-01T09:30:00.400Z" }),
    )
    .await;
    daemon.expect(event_of("incident.resolved", "QIMPORTED1"), "accepted").await;
    let of_incident = failure("pagerduty:QIMPORTED1", "2026-11-01T10:00:00Z", None);
    datadog.held(|held| held.failures.push(of_incident));
    let daemon = daemon.restart(&configuration).await;
    let program = Program::of(&daemon);
    let first = summary(&program, &configuration, &[]);
    assert_eq!([&first["failures"], &first["deployments"]], [&counts(4, 3, 0, 1), &counts(3, 2, 0, 1)]);
    datadog.held(|held| {
        held.failures[2]["attributes"]["finished_at"] = "2026-11-01T11:00:00Z".into();
        // It is gone there, and stays here.
        held.failures.remove(1);
    });
    let second = summary(&program, &configuration, &[]);
    assert_eq!([&second["failures"], &second["deployments"]], [&counts(3, 0, 1, 2), &counts(3, 0, 0, 3)]);
    assert_eq!(daemon.failures().await.len(), 4);
    // A pipeline sends an imported deployment again: from then on, no import replaces it.
    let own = json!({ "service": "shopist", "id": "2a47b5f25b160b81", "team": "storefront" });
    deploy(&daemon, "1.0.0", "09:30", own).await;
    datadog.held(|held| held.deployments[0]["attributes"]["version"] = "1.0.1".into());
    let third = summary(&program, &configuration, &[]);
    assert_eq!(third["deployments"], counts(3, 0, 0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_deployment_takes_no_place_of_one_from_a_pipeline() {
    let datadog = some().await;
    let configuration = datadog.entry("datadog");
    let daemon = Daemon::start(&configuration).await;
    // Of the commit of all deployments at Datadog, half a minute before one of them.
    let own = json!({
        "service": "shopist", "started_at": "2026-06-01T09:29:30Z", "finished_at": "2026-06-01T09:40:00Z",
        "git": { "commit_sha": "66adc9350f2cc9b250b69abddab733dd55e1a588", "repository_url": "https://github.com/o/r" },
    });
    let own = deploy(&daemon, "1.1.0", "08:00", own).await;
    let program = Program::of(&daemon);
    run(&program, &configuration, &[]);
    let counted = daemon.get("/api/v1/deployments?since=2026-05-01").await.json();
    let counted: Vec<&Value> =
        counted["deployments"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!((counted.len(), counted[1]), (2, &json!(own)));
    let ignored = daemon.get("/api/v1/deployments?since=2026-05-01&ignored=true").await.json();
    let reason = ignored["deployments"][0]["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("same deployment as {own}")), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_answer_is_read_in_shorter_slices_and_a_full_second_is_told() {
    let datadog = FakeDatadog::start().await;
    datadog.held(|held| {
        let begin = time("2026-05-01T00:00:00Z");
        let deployments = (0..2_500_u64).map(|number| {
            let at = begin.saturating_add(Duration::from_secs(7 * number)).to_string();
            deployment(&format!("deployment:{number:08}"), &at, "1")
        });
        held.deployments = deployments.collect();
    });
    let configuration = datadog.entry("datadog");
    let daemon = Daemon::start(&configuration).await;
    let program = Program::of(&daemon);
    let all = summary(&program, &configuration, &[]);
    assert_eq!((&all["deployments"], &all["incomplete_seconds"]), (&counts(2_500, 2_500, 0, 0), &json!([])));
    datadog.held(|held| {
        let services = (0..1_100).map(|number| {
            let mut deployment = deployment(&format!("of-a-second:{number:08}"), "2026-08-01T12:00:00Z", "1");
            deployment["attributes"]["service"] = format!("service-{number}").into();
            deployment
        });
        held.deployments.extend(services);
    });
    let output = run(&program, &configuration, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        printed.contains("lists only 1,000 of what started in the second 2026-08-01T12:00:00Z"),
        "{printed}"
    );
    assert!(stderr(&output).contains("seconds of which Datadog lists only a part: 1"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_is_told() {
    let datadog = some().await;
    let attributes = json!({ "started_at": "2026-03-01T10:00:00Z", "env": "production" });
    let broken = json!({ "id": "2a47b5f25b160b84", "type": "dora_deployment", "attributes": attributes });
    let nameless = json!({ "type": "dora_deployment", "attributes": attributes });
    datadog.held(|held| held.deployments.extend([broken, nameless.clone(), nameless]));
    let configuration = datadog.entry("datadog");
    let daemon = Daemon::start(&configuration).await;
    let output = run(&Program::of(&daemon), &configuration, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("skipped: 2a47b5f25b160b84: it has no service"), "{printed}");
    assert_eq!(printed.matches(" without an id, in the slice from 2026-").count(), 2, "{printed}");
    assert!(printed.contains("deployments      6      3        0     0"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_where_it_was_stopped() {
    let datadog = some().await;
    let configuration = datadog.entry("datadog");
    let daemon = Daemon::start(&configuration).await;
    let program = Program::of(&daemon);
    // Each slice asks for two lists. The slices of the first months are read.
    datadog.held(|held| held.script = std::iter::repeat_n(200, 12).chain([503]).collect());
    let stopped = run(&program, &configuration, &[]);
    assert_eq!(stopped.status.code(), Some(1), "{stopped:?}");
    let told = stderr(&stopped);
    assert!(
        told.contains("run the same command again to continue") && told.contains("try again later"),
        "{told}"
    );
    let before = daemon.failures().await.len();
    assert!(before < 3, "{before}");
    let output = run(&program, &configuration, &[]);
    assert!(stderr(&output).contains("an earlier import has come up to 2026-"), "{output:?}");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(daemon.failures().await.len(), 3);
    let again = summary(&program, &configuration, &[]);
    assert_eq!(again["failures"], counts(3, 0, 0, 3), "a finished import begins again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_datadog_asks_for_is_kept() {
    let datadog = some().await;
    let configuration = datadog.entry("datadog");
    let daemon = Daemon::start(&configuration).await;
    datadog.held(|held| held.script = [429, 200, 200, 200, 429, 200, 429, 429].into());
    // Slices begin with a second, and the period need not.
    let period = ["import", "datadog", "--since", "2026-01-01T00:00:00.5Z", "--until", "2026-11-19"];
    let output = Program::of(&daemon).run(&configuration, &period);
    assert!(output.status.success(), "{output:?}");
    assert!(stderr(&output).contains("Datadog asks to wait for 2 s"), "{output:?}");
    assert_eq!(daemon.failures().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_daemon_the_store_is_changed_directly() {
    let datadog = some().await;
    let configuration = datadog.entry("datadog");
    let daemon = Daemon::start(&configuration).await;
    let program = Program::of(&daemon);
    let folder = daemon.stop_and_keep().await;
    let output = run(&program, &configuration, &[]);
    assert!(stderr(&output).contains("no daemon answers"), "{output:?}");
    assert!(stdout(&output).contains("deployments      3      3        0     0"), "{output:?}");
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_cure() {
    let datadog = some().await;
    let daemon = Daemon::start(&datadog.entry("datadog")).await;
    let program = Program::of(&daemon);
    let refused = |configuration: &str, more: &[&str]| {
        let output = run(&program, configuration, more);
        (output.status.code(), stderr(&output))
    };
    let without_key = datadog.entry("datadog").replace("application_key", "# application_key");
    let without_key = without_key.replace("change_failures = true\n", "");
    let two = datadog.entry("one") + &datadog.entry("two");
    for (configuration, more, expected) in [
        (String::new(), &[][..], "no [[backend]] of kind \"datadog\" is configured"),
        (without_key, &[], "needs application_key"),
        (two.clone(), &[], "choose one with --backend: one, two"),
        (
            two,
            &["--backend", "three"],
            "no backend of kind \"datadog\" has the name \"three\"; there are: one, two",
        ),
    ] {
        let (status, told) = refused(&configuration, more);
        assert!(status == Some(2) && told.contains(expected), "{told}");
    }
    let (status, told) = refused(&datadog.entry("another"), &[]);
    assert!(status == Some(1) && told.contains("reload or restart the daemon"), "{told}");
    datadog.held(|held| held.script = [403, 403].into());
    let (status, told) = refused(&datadog.entry("datadog"), &[]);
    assert!(status == Some(1) && told.contains("dora_metrics_read"), "{told}");
}
