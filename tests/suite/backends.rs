//! The six kinds of backend: their requests, their corrections, and the requirements of their documentation.

use serde_json::{Value, json};

use crate::corrections::changed;
use crate::deployments::deploy;
use crate::forwarding::next_after_waiting;
use crate::harness::{Backend, Daemon, KEY, Request, event_of, eventually};
use crate::store_probe::Probe;

mod cdevents_schema;
mod contracts;
mod events;

/// `0123456789abcdef01234567`
const SIGNING_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

const HOSTILE_NAME: &str = "</title>\0\u{202e}{{7*7}}${jndi:ldap://x}' OR 1=1 --";

/// The `[[backend]]` entry of a kind, with the address of `backend`.
pub(crate) fn entry(backend: &Backend, kind: &str) -> String {
    let (path, secret) = match kind {
        "datadog" | "datadog-events" | "datadog-metrics" => {
            ("", format!("api_key = {{ value = \"{KEY}\" }}"))
        }
        "devlake" => {
            ("/api/rest/plugins/webhook/connections/1", format!("api_key = {{ value = \"{KEY}\" }}"))
        }
        "cdevents" => ("/sink", format!("token = {{ value = \"{KEY}\" }}")),
        _ => ("/hook", format!("signing_secret = {{ value = \"{SIGNING_SECRET}\" }}")),
    };
    let url = format!("http://{}{path}", backend.address);
    format!("[[backend]]\nname = \"{kind}\"\nkind = \"{kind}\"\nurl = \"{url}\"\n{secret}\n")
}

/// A request as HTTP text, without headers that are the same for all requests or differ between runs.
pub(crate) fn shown(request: &Request) -> String {
    const LEFT_OUT: [&str; 4] = ["host", "accept", "content-length", "user-agent"];
    let mut headers: Vec<String> = request
        .headers
        .iter()
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    format!("{}\n{}\n\n{:#}\n", request.line, headers.join("\n"), json_of(request))
}

pub(crate) fn json_of(request: &Request) -> Value {
    serde_json::from_slice(&request.bytes).unwrap()
}

async fn requests(backend: &mut Backend, count: usize) -> Vec<Request> {
    let mut requests = Vec::new();
    while requests.len() < count {
        requests.push(backend.next().await);
    }
    requests
}

/// Progress of the only failure at a backend, once its row is not pending.
async fn progress(daemon: &Daemon, backend: &str) -> Value {
    eventually(format!("backend {backend} to be done with the failure"), async || {
        let failures = daemon.failures().await;
        let mut forwarded = failures[0]["forwarded"].as_array().unwrap().iter();
        let found = forwarded.find(|forwarded| forwarded["backend"] == backend);
        found.filter(|found| found["state"] != "pending").cloned()
    })
    .await
}

fn reopened(incident: &str) -> String {
    changed("incident.reopened", incident, "01KB-REOPENED", |event| {
        event["occurred_at"] = "2026-11-01T10:45:00Z".into();
        event["data"]["reopened_at"] = "2026-11-01T10:45:00Z".into();
        event["data"]["status"] = "triggered".into();
    })
}

#[tokio::test]
async fn each_kind_gets_its_own_requests() {
    for (kind, count) in [
        ("datadog", 1),
        ("datadog-events", 1),
        ("datadog-metrics", 2),
        ("devlake", 1),
        ("cdevents", 3),
        ("http", 1),
    ] {
        let mut backend = Backend::start().await;
        let daemon = Daemon::start(&entry(&backend, kind)).await;
        daemon.expect(event_of("incident.resolved", "QGOLDEN001"), "accepted").await;
        let requests = requests(&mut backend, count).await;
        let shown: Vec<String> = requests.iter().map(shown).collect();
        insta::assert_snapshot!(format!("{kind}"), shown.join("\n"));
        assert_eq!(progress(&daemon, kind).await["state"], "sent");
        assert!(backend.is_quiet());
    }
}

#[tokio::test]
async fn each_kind_is_corrected_in_its_own_way() {
    for (kind, first, then) in
        [("datadog", 1, 1), ("datadog-events", 1, 1), ("devlake", 1, 1), ("cdevents", 3, 2), ("http", 1, 1)]
    {
        let mut backend = Backend::start().await;
        let daemon = Daemon::start(&entry(&backend, kind)).await;
        daemon.expect(event_of("incident.resolved", "QGOLDEN001"), "accepted").await;
        requests(&mut backend, first).await;
        daemon.expect(reopened("QGOLDEN001"), "accepted").await;
        let shown: Vec<String> = requests(&mut backend, then).await.iter().map(shown).collect();
        insta::assert_snapshot!(format!("{kind}_open_again"), shown.join("\n"));
    }
}

#[tokio::test]
async fn the_kind_http_gets_the_cause_of_a_failure() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&entry(&backend, "http")).await;
    let deployment = deploy(&daemon, "v1", "09:00", json!({})).await;
    daemon.expect(event_of("incident.resolved", "QLINKED001"), "accepted").await;
    assert_eq!(json_of(&backend.next().await)["deployment"], json!(deployment));
}

#[tokio::test]
async fn devlake_shows_an_incident_that_is_open_again_as_unresolved() {
    let mut backend = Backend::start().await;
    let daemon = Daemon::start(&entry(&backend, "devlake")).await;
    daemon.expect(event_of("incident.resolved", "QDEVLAKE01"), "accepted").await;
    assert_eq!(json_of(&backend.next().await)["status"], "DONE");
    daemon.expect(reopened("QDEVLAKE01"), "accepted").await;
    let issue = json_of(&backend.next().await);
    assert_eq!(
        (&issue["issueKey"], &issue["status"]),
        (&json!("PAGERDUTY-QDEVLAKE01"), &json!("IN_PROGRESS"))
    );
    assert!(issue["resolutionDate"].is_null());
    assert_eq!(progress(&daemon, "devlake").await["state"], "sent");
}

#[tokio::test]
async fn cdevents_continues_where_it_was_interrupted() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(202, &[]), (503, &[])]);
    let daemon = Daemon::start(&entry(&backend, "cdevents")).await;
    daemon.expect(event_of("incident.resolved", "QCDEVENTS1"), "accepted").await;
    let first = requests(&mut backend, 2).await;
    daemon.until(|store| store.answered_with(503) > 0).await;
    let again = next_after_waiting(&daemon, &mut backend).await;
    let id = |request: &Request| request.headers["ce-id"].to_str().unwrap().to_owned();
    assert_eq!(
        (id(&again), &again.bytes),
        (id(&first[1]), &first[1].bytes),
        "the event that failed is sent again unchanged"
    );
    assert_eq!(id(&backend.next().await), "pagerduty:QCDEVENTS1:1:resolved");
    assert_eq!(progress(&daemon, "cdevents").await["state"], "sent");
}

#[tokio::test]
async fn a_sample_is_counted_once_and_cannot_be_corrected() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(202, &[]), (503, &[])]);
    let daemon = Daemon::start(&entry(&backend, "datadog-metrics")).await;
    daemon.expect(event_of("incident.resolved", "QMETRICS01"), "accepted").await;
    let lines = |requests: Vec<Request>| requests.into_iter().map(|request| request.line).collect::<Vec<_>>();
    let sent = lines(requests(&mut backend, 2).await);
    assert_eq!(sent, ["POST /api/v2/series", "POST /api/v1/distribution_points"]);
    daemon.until(|store| store.answered_with(503) > 0).await;
    let again = next_after_waiting(&daemon, &mut backend).await.line;
    assert_eq!(again, "POST /api/v1/distribution_points", "the accepted sample is not sent again");
    assert_eq!(progress(&daemon, "datadog-metrics").await["state"], "sent");

    daemon.expect(reopened("QMETRICS01"), "accepted").await;
    daemon.until(|store| store.sent_of_revision(2) > 0).await;
    assert_eq!(progress(&daemon, "datadog-metrics").await["state"], "cannot_be_corrected");
    assert!(backend.is_quiet(), "there is no request that takes a sample back");
}

#[tokio::test]
async fn an_accepted_sample_is_not_sent_again_after_a_rejection_and_a_restart() {
    let mut backend = Backend::start().await;
    backend.will_answer(&[(202, &[]), (400, &[])]);
    let configuration = entry(&backend, "datadog-metrics");
    let daemon = Daemon::start(&configuration).await;
    daemon.expect(event_of("incident.resolved", "QMETRICS02"), "accepted").await;
    requests(&mut backend, 2).await;
    assert_eq!(progress(&daemon, "datadog-metrics").await["state"], "dead");
    let daemon = daemon.restart(&configuration).await;
    let retry = format!("http://{}/api/v1/outbox/1/retry", daemon.admin);
    assert!(daemon.client.post(retry).send().await.unwrap().status().is_success());
    assert_eq!(backend.next().await.line, "POST /api/v1/distribution_points");
    assert_eq!(progress(&daemon, "datadog-metrics").await["state"], "sent");
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn a_backend_with_failures_off_gets_deployments_only() {
    let mut backend = Backend::start().await;
    let configuration = entry(&backend, "datadog") + "failures = false\ndeployments = true\n";
    let daemon = Daemon::start(&configuration).await;
    daemon.expect(event_of("incident.resolved", "QWITNESS01"), "accepted").await;
    deploy(&daemon, "v1", "09:00", json!({})).await;
    assert_eq!(backend.next().await.line, "POST /api/v2/dora/deployment");
    let story = daemon.get("/api/v1/failures/QWITNESS01").await.json();
    assert!(story.to_string().contains("it has `failures = false`"), "{story}");
    assert_eq!(daemon.failures().await[0]["forwarded"], json!([]));
    let daemon = daemon.restart(&configuration.replace("failures = false", "failures = true")).await;
    daemon.expect(reopened("QWITNESS01"), "accepted").await;
    daemon.until(Probe::is_drained).await;
    assert!(backend.is_quiet(), "it was not told before, and is open now");
}

#[tokio::test]
async fn a_filter_withholds_failures_and_corrects_those_that_leave() {
    let mut backend = Backend::start().await;
    let filtered = entry(&backend, "http") + "services = [\"Checkout API\"]\nenvs = [\"production\"]\n";
    let daemon = Daemon::start(&filtered).await;
    let of_another_service = |event: &mut Value| event["data"]["service"]["summary"] = "Search".into();
    daemon
        .expect(changed("incident.resolved", "QOTHER0001", "01KB-OTHER", of_another_service), "accepted")
        .await;
    daemon.expect(event_of("incident.resolved", "QFILTER001"), "accepted").await;
    let first = json_of(&backend.next().await);
    assert_eq!((&first["incident"], &first["state"]), (&json!("QFILTER001"), &json!("completed")));
    let moved = changed("incident.service_updated", "QFILTER001", "01KB-MOVED", |event| {
        event["occurred_at"] = "2026-11-01T10:50:00Z".into();
        event["data"]["service"]["summary"] = "Search".into();
    });
    daemon.expect(moved, "accepted").await;
    let corrected = json_of(&backend.next().await);
    assert_eq!((&corrected["incident"], &corrected["revision"]), (&json!("QFILTER001"), &json!(2)));
    assert_eq!(corrected["state"], "ignored");
    let back = changed("incident.service_updated", "QFILTER001", "01KB-BACK", |event| {
        event["occurred_at"] = "2026-11-01T10:55:00Z".into();
        event["data"]["service"]["summary"] = "Checkout API".into();
    });
    daemon.expect(back, "accepted").await;
    let last = json_of(&backend.next().await);
    assert_eq!((&last["state"], &last["revision"]), (&json!("completed"), &json!(3)));
    assert_eq!(last["finished_at"], first["finished_at"]);
    assert!(backend.is_quiet());
}

#[tokio::test]
async fn hostile_incidents_stay_within_every_contract() {
    let mut backend = Backend::start().await;
    let kinds = ["datadog", "datadog-events", "datadog-metrics", "devlake", "cdevents", "http"];
    let tags: Vec<String> = (0..1_000).map(|n| format!("\"tag:{n}\"")).collect();
    let service = format!("[[service]]\npagerduty = \"Tagged\"\ntags = [{}]\n", tags.join(", "));
    let entries: String = kinds.iter().map(|kind| entry(&backend, kind)).collect();
    let daemon = Daemon::start(&(service + &entries)).await;
    let hostile: [fn(&mut Value); 7] = [
        |data| data["title"] = "\u{202e}<script>alert(1)</script>\0\r\n".repeat(200).into(),
        |data| data["title"] = Value::Null,
        |data| data["service"] = json!({ "id": "P1", "summary": "Tagged" }),
        |data| (data["service"], data["teams"]) = (Value::Null, Value::Null),
        |data| data["html_url"] = "javascript:\u{7f} not a url".into(),
        |data| data["html_url"] = "https://x.example/[a]|{b}^`\\?q={\"|\"}[]#^{}".into(),
        |data| data["priority"] = json!({ "id": "P", "summary": "\u{1F525}, sev:\"0\"\n" }),
    ];
    for (n, change) in hostile.into_iter().enumerate() {
        let incident = format!("QHOSTILE{n:03}");
        let event = changed("incident.resolved", &incident, &format!("01KB-HOSTILE-{n}"), |event| {
            change(&mut event["data"]);
        });
        daemon.expect(event, "accepted").await;
    }
    let sent = json!({
        "id": "a-failure-of-the-api", "services": ["a b"], "started_at": 1_793_527_200, "finished_at": 1_793_527_260,
        "name": HOSTILE_NAME, "severity": "\u{202e}", "version": "v 1",
        "git": { "commit_sha": "0123456789abcdef0123456789abcdef01234567", "repository_url": "https://x.example/r" },
        "custom_tags": (0..99).map(|n| format!("key:{n}\t")).chain(["no key".to_owned()]).collect::<Vec<_>>(),
    });
    let answer = daemon.events_api("POST", "/failure", &json!({ "data": { "attributes": sent } })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    daemon.until(|store| store.sent() >= 48).await;
    let mut checked = 0;
    while let Some(request) = backend.try_next() {
        let body = json_of(&request);
        match request.line.as_str() {
            "POST /api/v2/dora/failure" => contracts::datadog(&body["data"]["attributes"]),
            "POST /api/v2/events" => contracts::datadog_event(&body),
            "POST /api/v2/series" | "POST /api/v1/distribution_points" => contracts::datadog_series(&body),
            "POST /api/rest/plugins/webhook/connections/1/issues" => contracts::devlake(&body),
            "POST /sink" => contracts::cdevents(&request, &body),
            "POST /hook" => contracts::standard_webhooks(&request),
            other => panic!("{other}"),
        }
        checked += 1;
    }
    assert!(checked >= 8 * 8, "{checked}");
}
