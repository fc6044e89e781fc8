//! `backfill`: incidents of the past, read from a fake of PagerDuty, with a running daemon and without one.

use std::collections::BTreeMap;
use std::process::{Output, Stdio};
use std::time::Duration;

use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::Value;

use crate::fake_pagerduty::{FakePagerDuty, Fault, World};
use crate::harness::{Backend, Daemon, Program, eventually, stdout};
use crate::reconcile_daemon::reconciled;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// Incidents over ten months, all resolved, and the first one's webhooks without its acknowledgement.
fn years(count: usize) -> (World, Vec<String>) {
    let world = World::new(1);
    for number in 0..count {
        let day = u32::try_from(number * 300 / count).unwrap();
        let at = time("2026-01-02T10:00:00.412Z").saturating_add(Duration::from_hours(24) * day);
        let service = ["checkout", "search", "payments"][number % 3];
        let incident = world.trigger(at, service, "high", Some("P1"), "disk full");
        world.acknowledge(&incident, at.saturating_add(Duration::from_mins(5)));
        world.resolve(&incident, at.saturating_add(Duration::from_mins(42)));
    }
    world.set_now(time("2026-11-20T00:00:00Z"));
    let first = world.incidents()[0].clone();
    let webhooks = world.webhooks().into_iter();
    let of_first = webhooks.filter(|webhook| webhook.body.contains(&first)).map(|webhook| webhook.body);
    let some = of_first.filter(|body| !body.contains("\"incident.acknowledged\"")).collect();
    (world, some)
}

const PERIOD: [&str; 5] = ["backfill", "--since", "2026-01-01", "--until", "2026-11-01"];

struct Setup {
    pagerduty: FakePagerDuty,
    configuration: String,
}

impl Setup {
    async fn of(world: World, more: &str) -> Self {
        let pagerduty = FakePagerDuty::start(world).await;
        let configuration = format!("{}requests_per_minute = 100000\n{more}", pagerduty.section());
        Self { pagerduty, configuration }
    }

    async fn daemon(&self) -> Daemon {
        let daemon = Daemon::start(&self.configuration).await;
        // The first look has ended, so that the store changes only by the command.
        reconciled(&daemon).await;
        daemon
    }

    fn run(&self, program: &Program, more: &[&str]) -> Output {
        program.run(&self.configuration, &[&PERIOD[..], more].concat())
    }

    fn json(&self, program: &Program, more: &[&str]) -> Value {
        let output = self.run(program, &[&["--format", "json"], more].concat());
        serde_json::from_str(&stdout(&output)).unwrap()
    }
}

/// Start, end and acknowledgement of every failure.
async fn failures(daemon: &Daemon) -> BTreeMap<String, Value> {
    let failures = daemon.failures().await.into_iter();
    failures.map(|failure| (failure["id"].as_str().unwrap().to_owned(), failure)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_a_backfill_then_does_and_a_second_one_finds_nothing() {
    let (world, of_first) = years(30);
    let setup = Setup::of(world, "").await;
    let daemon = setup.daemon().await;
    for webhook in of_first {
        daemon.expect(webhook, "accepted").await;
    }
    let program = Program::of(&daemon);
    let events = daemon.probe().events();
    let planned = stdout(&setup.run(&program, &["--dry-run"]));
    assert_eq!(daemon.probe().events(), events, "a dry run changes nothing");
    insta::assert_snapshot!(planned, @r"
    FAILURE                   WHAT             BEFORE  AFTER
    pagerduty:Q000000004ZSOX  acknowledged_at  -       2026-01-02T10:05:00Z

    30 incidents were read, created from 2026-01-01 00:00 to 2026-11-01 00:00.
    29 failures would be added (29 completed), 1 would be changed: 117 new events.
    ");
    let done = stdout(&setup.run(&program, &[]));
    insta::assert_snapshot!(done, @r"
    FAILURE                   WHAT             BEFORE  AFTER
    pagerduty:Q000000004ZSOX  acknowledged_at  -       2026-01-02T10:05:00Z

    30 incidents were read, created from 2026-01-01 00:00 to 2026-11-01 00:00.
    29 failures added (29 completed), 1 changed: 117 new events.

    FIGURE                       BEFORE    AFTER
    incidents                         1       30
    unmatched_incidents               1       30
    linked_incidents_none             1       30
    time_to_restore_seconds_n         1       30
    time_to_restore_seconds_p90       -  42m 00s
    restored_n                        1       30
    restored_within_1h_known          1       30
    restored_within_1d_known          1       30
    restored_within_7d_known          1       30
    ");
    let failures = failures(&daemon).await;
    assert_eq!(failures.len(), 30);
    for failure in failures.values() {
        assert_eq!(failure["state"], "completed");
        assert!(failure["acknowledged_at"].is_string(), "{failure:#}");
    }
    let again = setup.json(&program, &[]);
    assert_eq!((&again["incidents"], &again["events"]), (&30.into(), &0.into()), "{again:#}");
    assert_eq!(again["added"], serde_json::json!([]));
    assert_eq!(again["figures"], serde_json::json!([]));
    assert_eq!(setup.pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_daemon_the_store_is_changed_directly() {
    let (world, _) = years(12);
    world.has_no_analytics();
    let setup = Setup::of(world, "").await;
    let daemon = setup.daemon().await;
    let program = Program::of(&daemon);
    let folder = daemon.stop_and_keep().await;
    let output = setup.run(&program, &[]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no daemon answers"));
    assert!(stdout(&output).contains("12 failures added (12 completed)"), "{}", stdout(&output));
    assert_eq!(setup.pagerduty.refusals(), [""; 0]);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_are_told_unless_they_are_kept_out() {
    for is_quiet in [false, true] {
        let (world, _) = years(6);
        let mut backend = Backend::start().await;
        let setup = Setup::of(world.clone(), &backend.entry("metrics")).await;
        let daemon = setup.daemon().await;
        let program = Program::of(&daemon);
        let more: &[&str] = if is_quiet { &["--quiet-backends"] } else { &[] };
        assert_eq!(setup.json(&program, more)["added"].as_array().unwrap().len(), 6);
        if is_quiet {
            assert_eq!(daemon.probe().pending() + daemon.probe().sent(), 0);
            assert!(backend.is_quiet());
        } else {
            daemon.until(|store| store.sent() == 6).await;
            for _ in 0..6 {
                backend.next().await;
            }
        }
        // What happens later is told in both cases.
        let incident = world.incidents()[3].clone();
        let at = time("2026-11-19T10:00:00.100Z");
        world.reopen(&incident, at);
        world.resolve(&incident, at.saturating_add(Duration::from_mins(10)));
        for webhook in world.webhooks().split_off(18) {
            daemon.expect(webhook.body, "accepted").await;
        }
        let finished_at = at.saturating_add(Duration::from_mins(10)).as_nanos();
        let mut told = backend.next().await;
        if told.attributes()["finished_at"].is_null() {
            // That the failure is open again, which a backend that knows it is told, too.
            told = backend.next().await;
        }
        assert_eq!(told.attributes()["finished_at"], finished_at, "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_was_stopped_goes_on_where_it_was() {
    let (world, _) = years(60);
    let setup = Setup::of(world, "").await;
    let daemon = setup.daemon().await;
    let program = Program::of(&daemon);
    let folder = daemon.stop_and_keep().await;
    let before = setup.pagerduty.requests().len();
    setup.pagerduty.fail_request(before + 100, Fault::Fails(401));
    let stopped = setup.run(&program, &[]);
    assert_eq!(stopped.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&stopped.stderr).into_owned();
    assert!(errors.contains("not finished: run the same command again to continue"), "{errors}");
    let output = setup.run(&program, &["--format", "json"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("an earlier backfill has come up to 2026-"), "{errors}");
    let rest: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let rest = rest["incidents"].as_u64().unwrap();
    assert!((1..60).contains(&rest), "{rest}");
    // The next one begins again.
    let again = setup.json(&program, &[]);
    assert_eq!((&again["incidents"], &again["events"]), (&60.into(), &0.into()), "{again:#}");
    assert_eq!(setup.pagerduty.refusals(), [""; 0]);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said_and_the_rest_is_done() {
    let (world, _) = years(8);
    let incidents = world.incidents();
    let open = world.trigger(time("2026-10-30T10:00:00.100Z"), "checkout", "high", None, "slow");
    world.acknowledge(&open, time("2026-11-19T23:59:30.100Z"));
    world.set_now(time("2026-11-20T00:00:00Z"));
    let setup = Setup::of(world, "").await;
    let daemon = setup.daemon().await;
    let program = Program::of(&daemon);
    // The incident itself, of the first one that is read.
    let first = setup.pagerduty.requests().len() + 3;
    setup.pagerduty.fail_request(first, Fault::HalfBody);
    setup.pagerduty.fail_request(first + 1, Fault::Fails(403));
    let output = setup.run(&program, &["--format", "json"]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("incidents that could not be read: 1"), "{errors}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    let skipped = done["skipped"].as_object().unwrap();
    assert_eq!(done["added"].as_array().unwrap().len() + skipped.len(), incidents.len(), "{done:#}");
    assert_eq!(done["deferred"], serde_json::json!([format!("pagerduty:{open}")]), "{done:#}");
    assert!(skipped.values().any(|reason| reason.as_str().unwrap().contains("HTTP 403")), "{done:#}");
    assert_eq!(setup.pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_and_a_refused_token_are_said() {
    let (world, _) = years(3);
    let setup = Setup::of(world, "").await;
    let daemon = setup.daemon().await;
    let program = Program::of(&daemon);
    let errors = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let unconfigured = program.run("", &PERIOD);
    assert_eq!(unconfigured.status.code(), Some(2));
    assert!(errors(&unconfigured).contains("[pagerduty.api] is not configured"));
    let backwards = program.run(&setup.configuration, &["backfill", "--since", "1d", "--until", "2d"]);
    assert_eq!(backwards.status.code(), Some(2), "{}", errors(&backwards));
    let other = program.run(&format!("{}[failure]\nstart = \"triggered\"", setup.configuration), &PERIOD);
    assert_eq!(other.status.code(), Some(1));
    assert!(errors(&other).contains("The daemon runs with another configuration"), "{}", errors(&other));
    let before = setup.pagerduty.requests().len();
    setup.pagerduty.fail_request(before + 1, Fault::Fails(401));
    let refused = setup.run(&program, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(errors(&refused).contains("HTTP 401"), "{}", errors(&refused));
    assert_eq!(setup.json(&program, &[])["added"].as_array().unwrap().len(), 3);
}

/// Starts a backfill, and kills it after some requests.
async fn kill_after(setup: &Setup, program: &Program, requests: usize) {
    let asked = setup.pagerduty.requests().len();
    let mut command = program.command(&setup.configuration, &PERIOD);
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("requests, or the end", async || {
        let is_over = process.try_wait().unwrap().is_some();
        (is_over || setup.pagerduty.requests().len() >= asked + requests).then_some(())
    })
    .await;
    let _ = process.kill();
    process.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_change_nothing_about_the_end() {
    let mut ends = Vec::new();
    for kills in [0, 20] {
        let (world, _) = years(60);
        let setup = Setup::of(world, "").await;
        let daemon = setup.daemon().await;
        let program = Program::of(&daemon);
        let folder = daemon.stop_and_keep().await;
        for _ in 0..kills {
            kill_after(&setup, &program, fastrand::usize(1..60)).await;
        }
        let last = setup.json(&program, &[]);
        assert_eq!(last["skipped"], serde_json::json!({}), "{last:#}");
        assert_eq!(setup.pagerduty.refusals(), [""; 0]);
        let listed = program.run(&setup.configuration, &["failures", "--limit", "100", "--format", "json"]);
        let listed: Value = serde_json::from_str(&stdout(&listed)).unwrap();
        assert_eq!(listed["failures"].as_array().unwrap().len(), 60);
        let again = setup.json(&program, &[]);
        assert_eq!((&again["incidents"], &again["events"]), (&60.into(), &0.into()), "{again:#}");
        ends.push(listed);
        drop(folder);
    }
    assert_eq!(ends[0], ends[1]);
}
