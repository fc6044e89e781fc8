//! The dashboard in a real browser, if one is installed: see `tests/node/dashboard.mjs`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::corrections::changed;
use crate::harness::{Backend, Daemon};
use crate::node::{is_ready, program, script};
use crate::store_edit;
use crate::store_probe::Probe;

/// Titles that the page must show harmlessly. The script looks for `ran`, for elements and for characters that
/// steer text.
const HOSTILE: [&str; 5] = [
    "</title></td><script>globalThis.ran = 1</script><img src=x onerror=\"globalThis.ran = 1\">",
    "\u{202e}desrever si siht\u{202c} \u{2067}and this\u{2069}",
    "nothing\u{0}at\u{1b}[31mall",
    "' onload='globalThis.ran = 1' x='",
    "",
];

const RULE: &str =
    "[[rule]]\nname = \"<script>globalThis.ran = 1</script>\"\nurgency = [\"low\"]\naction = \"ignore\"\n";

fn is_browser_ready() -> bool {
    is_ready(&["chromium", "node"], &["playwright-core", "axe-core"])
}

/// Runs the script on these pages of a daemon, each given as `name@path`.
fn look(origin: &str, pages: &[&str]) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&folder).unwrap();
    let output = Command::new("node")
        .arg(script("dashboard.mjs"))
        .args([program("chromium").unwrap(), folder])
        .arg(origin)
        .args(pages)
        .output()
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{stdout}{stderr}");
}

/// Delivers these events of an incident, a minute apart.
async fn incident(daemon: &Daemon, id: &str, day: u32, event_types: &[&str], change: impl Fn(&mut Value)) {
    for (n, event_type) in event_types.iter().enumerate() {
        let event = changed(event_type, id, &format!("01KB-{id}-{n}"), |event| {
            event["occurred_at"] = format!("2026-11-{day:02}T11:{n:02}:00Z").into();
            event["data"]["created_at"] = format!("2026-11-{day:02}T10:00:00Z").into();
            change(event);
        });
        daemon.expect(event, "accepted").await;
    }
}

/// Submits deployments and failures of some weeks, with hostile names.
async fn submit_past(daemon: &Daemon) {
    for n in 0..30 {
        let (month, day) = (9 + n / 15, 1 + 2 * (n % 15));
        let service = ["Checkout API", "<b onload=globalThis.ran=1>", "\u{202e}search"][n % 3];
        let at = |hour: u32| format!("2026-{month:02}-{day:02}T{hour:02}:00:00Z");
        let version = format!("v{n}");
        let deployment =
            json!({ "service": service, "team": "<i>team</i>", "version": version, "started_at": at(9) });
        let failure = json!({
            "services": [service], "team": "<i>team</i>", "name": HOSTILE[0],
            "started_at": at(10), "finished_at": at(11 + u32::try_from(n % 7).unwrap()),
        });
        for (path, attributes) in
            [("/deployment", Some(deployment)), ("/failure", (n % 4 == 0).then_some(failure))]
        {
            let Some(attributes) = attributes else { continue };
            let answer =
                daemon.events_api("POST", path, &json!({ "data": { "attributes": attributes } })).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

/// A daemon with failures of every state, deployments, and two dead letters.
async fn daemon_with_data(backend: &mut Backend) -> Daemon {
    let daemon = Daemon::start(&format!("{RULE}{}", backend.entry("metrics"))).await;
    submit_past(&daemon).await;
    let (whole, triggered): (&[&str], &[&str]) =
        (&["incident.triggered", "incident.acknowledged", "incident.resolved"], &["incident.triggered"]);
    for (n, title) in HOSTILE.iter().enumerate() {
        let titled = |event: &mut Value| event["data"]["title"] = (*title).into();
        incident(&daemon, &format!("QOPEN0000{n}"), 1, triggered, titled).await;
        incident(&daemon, &format!("QDONE0000{n}"), 2, whole, titled).await;
        incident(&daemon, &format!("QNOISE000{n}"), 3, whole, |event| {
            titled(event);
            event["data"]["urgency"] = "low".into();
        })
        .await;
    }
    incident(&daemon, "QLONG00000", 4, triggered, |event| event["data"]["title"] = "W".repeat(10_000).into())
        .await;
    incident(&daemon, "QMERGED000", 2, &["incident.resolved"], |event| {
        let target = json!({ "id": "QDONE00000", "type": "incident_reference" });
        event["data"]["resolve_reason"] = json!({ "type": "merge_resolve_reason", "incident": target });
    })
    .await;
    // The backend accepts everything so far, and rejects the next two failures.
    daemon.until(Probe::is_drained).await;
    while backend.try_next().is_some() {}
    backend.will_answer(&[(400, &[]), (400, &[])]);
    for id in ["QDEAD00000", "QDEAD00001"] {
        incident(&daemon, id, 5, &["incident.resolved"], |event| event["data"]["title"] = HOSTILE[0].into())
            .await;
        backend.next().await;
    }
    daemon.until(|store| store.dead() >= 2).await;
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_works_in_a_browser_with_hostile_names() {
    if !is_browser_ready() {
        return;
    }
    let daemon = daemon_with_data(&mut Backend::start().await).await;
    let change = json!({
        "id": "C1", "at": "2026-11-02T09:10:00Z", "summary": HOSTILE[0], "source": HOSTILE[1],
        "services": [HOSTILE[2], "W".repeat(1_024)], "reason": HOSTILE[3],
    });
    store_edit::relate_change(&daemon.store, "pagerduty:QDONE00000", &json!([change]).to_string());
    let origin = format!("http://{}", daemon.admin);
    let pages = [
        "dashboard@/?days=90",
        "explain@/failures/QDONE00000",
        "explain-long@/failures/QLONG00000",
        "explain-untitled@/failures/QDONE00004",
        "explain-dead@/failures/QDEAD00000",
        "failures@/failures",
        "failures-filtered@/failures?state=completed&service=Checkout+API",
        "failures-none@/failures?service=nobody",
        "service@/services/Checkout%20API",
        "team@/teams/%3Ci%3Eteam%3C%2Fi%3E",
        "outbox@/outbox?state=dead",
        "deployments@/deployments",
        "quarantine@/quarantine",
    ];
    tokio::task::block_in_place(|| look(&origin, &[&pages[..], &["--retry"]].concat()));
    daemon.until(Probe::is_drained).await;
    assert_eq!(daemon.probe().dead(), 1, "one was retried");
}

/// Pages of deployments, services and teams, with failures, marks and dead letters.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_deployments_work_in_a_browser() {
    if !is_browser_ready() {
        return;
    }
    let daemon = daemon_with_data(&mut Backend::start().await).await;
    for (service, version) in [("Checkout API", HOSTILE[0]), ("W".repeat(120).as_str(), "v1")] {
        let deployment = json!({
            "id": format!("deployment:of-service-{:016}", service.len()), "service": service, "version": version,
            "team": "<i>team</i>", "started_at": "2026-11-01T09:30:00Z", "finished_at": "2026-11-01T09:40:00Z",
            "git": { "commit_sha": "0123456789abcdef0123456789abcdef01234567",
                "repository_url": "https://github.com/acme/checkout" },
        });
        let answer =
            daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": deployment } })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let listed = daemon.get("/api/v1/deployments?failed=true").await.json();
    let failed = format!("deployment@/deployments/{}", listed["deployments"][0]["id"].as_str().unwrap());
    let pages = [
        "deployment-list@/deployments",
        "deployment-none@/deployments?service=nobody",
        &failed,
        "service-figures@/services/Checkout%20API",
        "team-figures@/teams/%3Ci%3Eteam%3C%2Fi%3E",
    ];
    let origin = format!("http://{}", daemon.admin);
    tokio::task::block_in_place(|| look(&origin, &pages));
}

/// The demo's process, which is killed when this is dropped.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_dashboard_of_the_demo_works_in_a_browser() {
    if !is_browser_ready() {
        return;
    }
    let command =
        Command::new(env!("CARGO_BIN_EXE_pagerduty-dora")).arg("demo").stdout(Stdio::piped()).spawn();
    let mut demo = Demo(command.unwrap());
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = |line: String| line.strip_prefix("the dashboard is  ").map(str::to_owned);
    let origin = lines.find_map(address).unwrap();
    look(
        origin.trim_end_matches('/'),
        &[
            "demo@/",
            "demo-failures@/failures",
            "demo-explain@/failures/Q0TARGT0STORY9",
            "demo-outbox@/outbox",
            "demo-ignored@/deployments?ignored=true",
            "demo-told@/deployments/github:github.com:deployment:4200100",
        ],
    );
}
