//! Deployments that come in by webhooks of GitHub and GitLab, with the whole daemon.

pub(crate) mod hooks;
mod listings;

use serde_json::{Value, json};

use self::hooks::{CONFIGURATION, Hooks, gitlab};
use crate::deployments::deploy;
use crate::harness::{Backend, Daemon, KEY, Program, event_of, stdout};
use crate::store_probe::Probe;

const COMMIT: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

fn with_backend(backend: &Backend, configuration: &str) -> String {
    let marks =
        format!("deployments = true\nchange_failures = true\napplication_key = {{ value = \"{KEY}\" }}\n");
    format!("{CONFIGURATION}{configuration}{}{marks}", backend.entry("metrics"))
}

/// Ids of the deployments that count, or of those that do not.
async fn ids(daemon: &Daemon, query: &str) -> Vec<String> {
    let page = daemon.get(&format!("/api/v1/deployments{query}")).await.json();
    let listed = page["deployments"].as_array().unwrap_or_else(|| panic!("{page}"));
    listed.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// The output of `reevaluate`, in the words of `--dry-run`.
fn as_planned(done: &str) -> String {
    done.replace("changed.", "would change.").replace("that changed:", "that would change:")
}

/// The reason why the only ignored deployment does not count.
async fn reason(daemon: &Daemon) -> String {
    let page = daemon.get("/api/v1/deployments?ignored=true").await.json();
    assert_eq!(page["deployments"].as_array().unwrap().len(), 1, "{page}");
    page["deployments"][0]["reason"].as_str().unwrap().to_owned()
}

/// Every request that the backend was sent so far, with its body.
async fn sent(daemon: &Daemon, backend: &mut Backend) -> Vec<String> {
    daemon.until(Probe::is_drained).await;
    let mut sent = Vec::new();
    while let Some(request) = backend.try_next() {
        sent.push(format!("{} {}", request.line, String::from_utf8(request.bytes).unwrap()));
    }
    sent
}

#[tokio::test]
async fn a_deployment_counts_with_its_success_whatever_comes_first() {
    let mut hooks = Hooks::default();
    let begun = hooks.github("in_progress", 7, "10:01:05");
    let done = hooks.github("success", 7, "10:03:30");
    for events in [[&begun, &done], [&done, &begun]] {
        let daemon = Daemon::start(CONFIGURATION).await;
        for event in events {
            hooks::deliver_github(&daemon, event, "accepted").await;
        }
        hooks::deliver_github(&daemon, events[0], "duplicate").await;
        let page = daemon.get("/api/v1/deployments").await.json();
        let one = &page["deployments"][0];
        assert_eq!(one["id"], "github:github.com:deployment:7");
        assert_eq!(
            (&one["source"], &one["service"], &one["ignored"]),
            (&json!("github"), &json!("checkout"), &json!(false))
        );
        assert_eq!(one["started_at"], "2026-11-01T10:01:05Z");
        assert_eq!(one["finished_at"], "2026-11-01T10:03:30Z");
        assert!(ids(&daemon, "?ignored=true").await.is_empty());
    }
}

#[tokio::test]
async fn what_does_not_count_is_listed_with_its_reason_and_counts_later() {
    let mut hooks = Hooks::default();
    let daemon = Daemon::start(CONFIGURATION).await;
    hooks::deliver_github(&daemon, &hooks.github("in_progress", 7, "10:01:05"), "accepted").await;
    assert_eq!(reason(&daemon).await, "it has not ended: it is in progress");
    let running = daemon.get("/api/v1/deployments?ignored=true").await.json()["deployments"][0].clone();
    assert_eq!(running["started_at"], "2026-11-01T10:01:05Z");
    assert_eq!(running["finished_at"], Value::Null, "it runs");
    hooks::deliver_github(&daemon, &hooks.github("failure", 7, "10:02:00"), "accepted").await;
    assert_eq!(reason(&daemon).await, "it failed");
    assert!(ids(&daemon, "").await.is_empty());
    let failed = daemon.get("/api/v1/deployments?ignored=true").await.json()["deployments"][0].clone();
    assert_eq!(
        (&failed["started_at"], &failed["finished_at"]),
        (&json!("2026-11-01T10:01:05Z"), &json!("2026-11-01T10:02:00Z"))
    );
    hooks::deliver_github(&daemon, &hooks.github("success", 7, "10:03:30"), "accepted").await;
    assert_eq!(ids(&daemon, "").await, ["github:github.com:deployment:7"]);
    assert!(ids(&daemon, "?ignored=true").await.is_empty());
}

/// Reports, links, marks and requests are equal.
#[tokio::test]
async fn a_deployment_of_a_pipeline_and_one_of_a_webhook_have_the_same_effects() {
    let deployments = [(1, "08:00:00", "08:05:00"), (2, "09:30:00", "09:35:00"), (3, "10:20:00", "10:24:00")];
    let mut seen = Vec::new();
    for through_github in [false, true] {
        let mut backend = Backend::start().await;
        let service = "[[service]]\npagerduty = \"Checkout API\"\nservices = [\"checkout\"]\n";
        let daemon = Daemon::start(&with_backend(&backend, service)).await;
        for (number, started, finished) in deployments {
            if through_github {
                let mut hooks = Hooks::default();
                for (state, at) in [("in_progress", started), ("success", finished)] {
                    let event = hooks.github(state, number, at);
                    hooks::deliver_github(&daemon, &event, "accepted").await;
                }
            } else {
                let at = |time| format!("2026-11-01T{time}Z");
                let git = json!({ "commit_sha": hooks::commit(number), "repository_url": "https://github.com/acme/checkout" });
                let id = format!("github:github.com:deployment:{number}");
                let attributes = json!({ "id": id, "service": "checkout", "started_at": at(started), "finished_at": at(finished), "git": git });
                let body = json!({ "data": { "attributes": attributes } });
                assert_eq!(daemon.events_api("POST", "/deployment", &body).await.status, 200);
            }
        }
        // Created at 10:00, resolved at 10:42: caused by the second deployment, and fixed by the third.
        daemon.expect(event_of("incident.resolved", "QDOOR00001"), "accepted").await;
        let mut sent = sent(&daemon, &mut backend).await;
        // Requests about different failures and deployments are sent at the same time.
        sent.sort();
        let report = daemon.get("/api/v1/report?since=2026-10-30&until=2026-11-19&by=service").await.json();
        assert_eq!(report["total"]["failed_deployments"], 1, "{report}");
        let failures = daemon.failures().await;
        let mut listed = daemon.get("/api/v1/deployments").await.json();
        for one in listed["deployments"].as_array_mut().unwrap() {
            let source = one.as_object_mut().unwrap().remove("source").unwrap();
            assert_eq!(source, if through_github { "github" } else { "api" });
        }
        seen.push((report, failures, listed, sent));
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].3.len() >= 5, "{:?}", seen[0].3);
}

#[tokio::test]
async fn the_same_deployment_of_a_pipeline_and_a_webhook_counts_once() {
    let git = json!({ "commit_sha": hooks::commit(7), "repository_url": "https://github.com/acme/checkout" });
    let by_pipeline = json!({ "id": "pipeline:run-number-7", "service": "checkout", "started_at": "2026-11-01T10:00:00Z", "git": git });
    for pipeline_is_first in [true, false] {
        let daemon = Daemon::start(CONFIGURATION).await;
        if pipeline_is_first {
            deploy(&daemon, "v7", "10:00", by_pipeline.clone()).await;
        }
        let mut hooks = Hooks::default();
        for (state, at) in [("in_progress", "10:01:05"), ("success", "10:03:30")] {
            hooks::deliver_github(&daemon, &hooks.github(state, 7, at), "accepted").await;
        }
        hooks::deliver_gitlab(
            &daemon,
            &gitlab("success", 8, "11:04:00 +0100", &hooks::commit(7)),
            "accepted",
        )
        .await;
        if !pipeline_is_first {
            assert_eq!(ids(&daemon, "").await, ["github:github.com:deployment:7"]);
            assert_eq!(reason(&daemon).await, "it is the same deployment as github:github.com:deployment:7");
            deploy(&daemon, "v7", "10:00", by_pipeline.clone()).await;
        }
        assert_eq!(ids(&daemon, "").await, ["pipeline:run-number-7"]);
        assert_eq!(
            ids(&daemon, "?ignored=true").await,
            ["gitlab:gitlab.example.com:deployment:8", "github:github.com:deployment:7"]
        );
        // The winner goes to another env.
        deploy(
            &daemon,
            "v7",
            "10:00",
            json!({ "id": "pipeline:run-number-7", "service": "checkout", "env": "staging", "git": git }),
        )
        .await;
        let counting = ids(&daemon, "?env=production").await;
        assert_eq!(counting, ["github:github.com:deployment:7"]);
    }
}

const IGNORES_REHEARSALS: &str =
    "[[deployment]]\nname = \"the job is a rehearsal\"\njob = [\"deploy\"]\naction = \"ignore\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_table_applies_to_the_past_by_reevaluate() {
    let mut backend = Backend::start().await;
    let service = "[[service]]\npagerduty = \"Checkout API\"\nservices = [\"checkout\"]\n";
    let (before, today) =
        (with_backend(&backend, service), with_backend(&backend, &format!("{service}{IGNORES_REHEARSALS}")));
    let daemon = Daemon::start(&before).await;
    let mut hooks = Hooks::default();
    for (state, at) in [("in_progress", "09:30:00"), ("success", "09:35:00")] {
        hooks::deliver_github(&daemon, &hooks.github(state, 7, at), "accepted").await;
    }
    daemon.expect(event_of("incident.resolved", "QTABLE0001"), "accepted").await;
    let linked = async |daemon: &Daemon| daemon.failures().await[0]["deployment"].clone();
    assert_eq!(linked(&daemon).await, "github:github.com:deployment:7");
    sent(&daemon, &mut backend).await;

    let daemon = daemon.restart(&today).await;
    assert_eq!(ids(&daemon, "").await.len(), 1, "a new configuration alone changes nothing");
    hooks::deliver_github(&daemon, &hooks.github("success", 8, "12:00:00"), "accepted").await;
    assert_eq!(ids(&daemon, "").await.len(), 1, "and decides about new events");
    let program = Program::of(&daemon);
    let planned = stdout(&program.run(&today, &["reevaluate", "--dry-run"]));
    let explained = stdout(&program.run(&today, &["explain", "GITHUB:github.com:deployment:7"]));
    assert!(explained.lines().any(|line| line.starts_with("configuration ")), "{explained}");
    insta::assert_snapshot!(planned);
    let done = stdout(&program.run(&today, &["reevaluate"]));
    assert_eq!(as_planned(&done), planned);
    assert_eq!(linked(&daemon).await, Value::Null);
    assert!(ids(&daemon, "").await.is_empty());
    let report = daemon.get("/api/v1/report?since=2026-10-30").await.json();
    assert_eq!(report["total"]["failed_deployments"], 0, "{report}");
    let gone = sent(&daemon, &mut backend).await;
    assert!(gone.iter().any(|line| line.starts_with("DELETE ")), "{gone:?}");

    // Taken back: it is sent again, once.
    let daemon = daemon.restart(&before).await;
    let program = Program::of(&daemon);
    stdout(&program.run(&before, &["reevaluate"]));
    assert_eq!(linked(&daemon).await, "github:github.com:deployment:7");
    let again = sent(&daemon, &mut backend).await;
    let told = again.iter().filter(|line| line.starts_with("POST") && line.contains("deployment:7"));
    assert_eq!(told.count(), 1, "{again:?}");
    assert!(again.iter().any(|line| line.starts_with("PATCH")), "{again:?}");
}

const STAGING: &str = "[[deployment]]\nname = \"staging, too\"\nenvironment = [\"staging\"]\n";

/// Whatever `reevaluate` says of a deployment is what the listing says afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn reevaluate_knows_duplicates_and_keeps_the_time_of_receipt() {
    let git = json!({ "commit_sha": hooks::commit(7), "repository_url": "https://github.com/acme/checkout" });
    let by_pipeline = json!({ "id": "pipeline:run-number-7", "service": "checkout", "started_at": "2026-11-01T10:00:00Z", "git": git });
    let daemon = Daemon::start(CONFIGURATION).await;
    deploy(&daemon, "v7", "10:00", by_pipeline).await;
    let mut hooks = Hooks::default();
    for (state, number, at) in [("success", 7, "10:03:30"), ("success", 8, "12:00:00")] {
        let mut event: Value = serde_json::from_str(&hooks.github(state, number, at)).unwrap();
        event["deployment"]["environment"] = "staging".into();
        event["deployment"]["production_environment"] = false.into();
        event["deployment"]["created_at"] = format!("2026-11-01T{at}Z").into();
        event["deployment_status"]["environment"] = "staging".into();
        hooks::deliver_github(&daemon, &event.to_string(), "accepted").await;
    }
    let why = async |daemon: &Daemon| {
        let story = daemon.get("/api/v1/deployments/github:github.com:deployment:8").await.json();
        let source = story["why"].as_array().unwrap().iter().find(|why| why["about"] == "source");
        source.unwrap()["because"].as_str().unwrap().to_owned()
    };
    let before = why(&daemon).await;
    assert!(before.contains("first received at 2026"), "{before}");

    let today = format!("{CONFIGURATION}{STAGING}");
    let daemon = daemon.restart(&today).await;
    daemon.clock.advance(std::time::Duration::from_hours(5));
    let program = Program::of(&daemon);
    let planned = stdout(&program.run(&today, &["reevaluate", "--dry-run"]));
    insta::assert_snapshot!(planned);
    let done = stdout(&program.run(&today, &["reevaluate"]));
    assert_eq!(as_planned(&done), planned);
    assert_eq!(reason(&daemon).await, "it is the same deployment as pipeline:run-number-7");
    assert_eq!(ids(&daemon, "").await, ["github:github.com:deployment:8", "pipeline:run-number-7"]);
    assert_eq!(why(&daemon).await, before, "the same events");
    let again = stdout(&program.run(&today, &["reevaluate"]));
    assert!(again.contains("Entries of the listing that changed: 0."), "{again}");

    // A second name for the service: the row without a service in its id goes.
    let two = format!(
        "{today}[[service]]\npagerduty = \"Checkout API\"\nservices = [\"checkout\", \"cart\"]\nrepository_url = \"https://github.com/acme/checkout\"\n"
    );
    let daemon = daemon.restart(&two).await;
    let program = Program::of(&daemon);
    let planned = stdout(&program.run(&two, &["reevaluate", "--dry-run"]));
    insta::assert_snapshot!(planned);
    let done = stdout(&program.run(&two, &["reevaluate"]));
    assert_eq!(as_planned(&done), planned);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_gone_says_under_which_id_the_deployment_is_now() {
    let table = |services: &str| {
        let table = "[[deployment]]\nname = \"shop\"\nenvironment = [\".*\"]";
        format!("{CONFIGURATION}{table}\nservices = [{services}]\n")
    };
    let none = format!("{CONFIGURATION}{IGNORES_REHEARSALS}");
    for (today, counting, why) in
        [(table("\"web\""), 1, "its services have changed"), (none, 0, "it does not count any more")]
    {
        let daemon = Daemon::start(&table("\"web\", \"api\"")).await;
        let success = Hooks::default().github("success", 7, "10:03:30");
        hooks::deliver_github(&daemon, &success, "accepted").await;
        assert_eq!(ids(&daemon, "").await.len(), 2);
        let daemon = daemon.restart(&today).await;
        let done = stdout(&Program::of(&daemon).run(&today, &["reevaluate"]));
        let line = "Evaluated deployments of GitHub and GitLab: 1. Entries of the listing that changed: 3.";
        assert!(done.contains(line), "{done}");
        assert_eq!(ids(&daemon, "").await.len(), counting);
        let page = daemon.get("/api/v1/deployments?ignored=true").await.json();
        let reason = format!("{why}: see github:github.com:deployment:7");
        let entries = page["deployments"].as_array().unwrap().iter();
        assert_eq!(entries.filter(|entry| entry["reason"] == reason).count(), 2, "{page:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_cannot_delete_is_named_in_the_explanation() {
    let mut backend = Backend::start().await;
    let entry = format!("{}deployments = true\n", backend.entry("metrics"));
    let daemon = Daemon::start(&format!("{CONFIGURATION}{entry}")).await;
    hooks::deliver_github(&daemon, &Hooks::default().github("success", 7, "10:03:30"), "accepted").await;
    sent(&daemon, &mut backend).await;
    let daemon = daemon.restart(&format!("{CONFIGURATION}{IGNORES_REHEARSALS}{entry}")).await;
    let configuration = format!("{CONFIGURATION}{IGNORES_REHEARSALS}{entry}");
    stdout(&Program::of(&daemon).run(&configuration, &["reevaluate"]));
    assert!(sent(&daemon, &mut backend).await.is_empty());
    let story = daemon.get("/api/v1/deployments/github:github.com:deployment:7").await.json();
    assert_eq!(story["deployment"]["reason"], "the table \"the job is a rehearsal\" ignores it");
    let still = story["why"].as_array().unwrap().iter().find(|why| why["value"] == "metrics: still there");
    assert!(still.is_some(), "{story:#}");
}

#[tokio::test]
async fn quarantine_and_retention_work_for_deployments() {
    let daemon = Daemon::start(&format!("{CONFIGURATION}[store]\nretention = \"30d\"\n")).await;
    hooks::deliver_github(&daemon, "{\"deployment_status\":{}}", "quarantined").await;
    let rows = daemon.get("/api/v1/quarantine").await.json();
    let reason = rows["rows"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("deployment_status: "), "{rows}");
    let mut hooks = Hooks::default();
    hooks::deliver_github(&daemon, &hooks.github("in_progress", 7, "10:01:05"), "accepted").await;
    daemon.clock.advance(std::time::Duration::from_hours(31 * 24));
    daemon.until(|probe| probe.bodies() == 0).await;
    // The history that is kept is enough.
    hooks::deliver_github(&daemon, &hooks.github("success", 7, "10:03:30"), "accepted").await;
    let one = daemon.get("/api/v1/deployments").await.json()["deployments"][0].clone();
    assert_eq!(
        (&one["started_at"], &one["commit_sha"]),
        (&json!("2026-11-01T10:01:05Z"), &json!(hooks::commit(7)))
    );
}

#[tokio::test]
async fn the_signed_example_of_gitlab_becomes_a_deployment() {
    let daemon = Daemon::start(CONFIGURATION).await;
    hooks::deliver_gitlab(&daemon, &gitlab("running", 15, "11:01:05 +0100", COMMIT), "accepted").await;
    hooks::deliver_gitlab(&daemon, &gitlab("success", 15, "11:03:30 +0100", COMMIT), "accepted").await;
    let one = daemon.get("/api/v1/deployments").await.json()["deployments"][0].clone();
    assert_eq!(one["id"], "gitlab:gitlab.example.com:deployment:15");
    assert_eq!(
        (&one["started_at"], &one["finished_at"]),
        (&json!("2026-11-01T10:01:05Z"), &json!("2026-11-01T10:03:30Z"))
    );
    assert_eq!((&one["source"], &one["commit_sha"]), (&json!("gitlab"), &json!(COMMIT)));
}
