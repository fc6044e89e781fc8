//! `check` without `--offline`: PagerDuty and the backends are asked, and nothing is changed there.

mod backends;
mod fakes;
mod github;
mod gitlab;
mod pagerduty;

use std::process::Command;
use std::time::{Duration, Instant};

use self::fakes::{API_KEY, APPLICATION_KEY, DEVLAKE_KEY, Receiving, Server, nobody};
use crate::fake_pagerduty::{FakePagerDuty, Fault, TOKEN, World};
use crate::harness::SECRET;
use crate::process::PROGRAM;

/// Address of webhooks.
const URL: &str = "https://dora.example/webhooks/pagerduty";
const SUBSCRIPTION_SECRET: &str = "canary-subscription-secret";

/// Exit status and output of `check` with a configuration and more arguments and variables. Lines of the disk's free
/// space are left out.
fn run(configuration: &str, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let text =
        format!("[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n{configuration}");
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    let output = Command::new(PROGRAM)
        .arg("check")
        .args(arguments)
        .current_dir(folder.path())
        .env_remove("PAGERDUTY_DORA_CONFIG")
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .envs([("PD_TOKEN", TOKEN), ("DD_KEY", API_KEY), ("DD_APP", APPLICATION_KEY), ("LAKE", DEVLAKE_KEY)])
        .envs([("SINK", "canary-of-the-sink"), ("HOOK", "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnk=")])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    assert!(!printed.contains("canary") && !printed.contains("Y2FuYXJ5"), "a secret is in {printed}");
    let lines: Vec<&str> = printed.lines().filter(|line| !line.contains("MiB are free")).collect();
    (output.status.code().unwrap(), lines.join("\n"))
}

/// `[pagerduty.api]` for this address.
fn api(url: &str) -> String {
    format!("[pagerduty.api]\nurl = \"{url}\"\ntoken = {{ env = \"PD_TOKEN\" }}\n")
}

fn backend(name: &str, kind: &str, url: &str, more: &str) -> String {
    format!("[[backend]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{url}\"\n{more}\n")
}

const DATADOG_KEY: &str = "api_key = { env = \"DD_KEY\" }";
const DATADOG_KEYS: &str = "api_key = { env = \"DD_KEY\" }\napplication_key = { env = \"DD_APP\" }";
const DEVLAKE_SECRET: &str = "api_key = { env = \"LAKE\" }";
const CONNECTION: &str = "/api/rest/plugins/webhook/connections/1";

/// All event types that failures follow from.
fn wanted() -> Vec<&'static str> {
    pagerduty_dora::sources::pagerduty::own_subscription::wanted_events().collect()
}

/// A PagerDuty with a subscription that sends all wanted events, and the id of that.
async fn pagerduty() -> (FakePagerDuty, String) {
    let world = World::new(1);
    let id = world.subscribe(URL, SUBSCRIPTION_SECRET, &wanted());
    (FakePagerDuty::start(world).await, id)
}

/// All kinds of backends, each with a server that accepts its credentials.
struct Backends {
    datadog: Server,
    devlake: Server,
    sink: Receiving,
    hook: Receiving,
}

impl Backends {
    async fn start() -> Self {
        let (datadog, devlake) = (Server::datadog().await, Server::devlake().await);
        Self { datadog, devlake, sink: Receiving::start(), hook: Receiving::start() }
    }

    fn entries(&self) -> String {
        let datadog = format!("http://{}", self.datadog.address);
        [
            backend(
                "hook",
                "http",
                &format!("http://{}/in?token=canary-1", self.hook.address),
                "signing_secret = { env = \"HOOK\" }",
            ),
            backend("datadog", "datadog", &datadog, DATADOG_KEYS),
            backend("metrics", "datadog-metrics", &datadog, DATADOG_KEY),
            backend(
                "lake",
                "devlake",
                &format!("http://{}{CONNECTION}", self.devlake.address),
                DEVLAKE_SECRET,
            ),
            backend(
                "sink",
                "cdevents",
                &format!("http://{}", self.sink.address),
                "token = { env = \"SINK\" }",
            ),
        ]
        .concat()
    }

    /// The output with names in place of addresses.
    fn with_names(&self, pagerduty: &FakePagerDuty, printed: &str) -> String {
        printed
            .replace(&pagerduty.address.to_string(), "PAGERDUTY")
            .replace(&self.datadog.address.to_string(), "DATADOG")
            .replace(&self.devlake.address.to_string(), "DEVLAKE")
            .replace(&self.sink.address.to_string(), "SINK")
            .replace(&self.hook.address.to_string(), "HOOK")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_asked_and_nothing_changed() {
    let (pagerduty, id) = pagerduty().await;
    // A read-only key is enough.
    pagerduty.world.is_read_only();
    let backends = Backends::start().await;
    let (status, printed) = run(&(api(&pagerduty.url()) + &backends.entries()), &[], &[]);
    assert_eq!(status, 0, "{printed}");
    insta::assert_snapshot!(backends.with_names(&pagerduty, &printed).replace(&id, "PSUB001"));
    assert!(backends.sink.next().is_empty() && backends.hook.next().is_empty(), "an event was sent");
    for requests in [pagerduty.requests(), backends.datadog.requests(), backends.devlake.requests()] {
        assert!(!requests.is_empty() && requests.iter().all(|line| line.starts_with("GET ")), "{requests:?}");
    }
    assert_eq!(pagerduty.refusals(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_nothing_is_asked() {
    let (pagerduty, _) = pagerduty().await;
    let backends = Backends::start().await;
    let (status, printed) = run(&(api(&pagerduty.url()) + &backends.entries()), &["--offline"], &[]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(printed.matches("(not contacted)").count(), 5, "{printed}");
    assert!(!printed.contains("PagerDuty"), "{printed}");
    for requests in [pagerduty.requests(), backends.datadog.requests(), backends.devlake.requests()] {
        assert_eq!(requests, [""; 0]);
    }
    assert!(backends.sink.is_quiet() && backends.hook.is_quiet());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_a_line_with_its_cure() {
    let (pagerduty, id) = pagerduty().await;
    pagerduty.world.disable(&id);
    let backends = Backends::start().await;
    let wrong = [("DD_APP", "canary-other"), ("LAKE", "canary-other")];
    let gone = nobody();
    let entries = backends.entries() + &backend("gone", "http", &format!("http://{gone}"), "");
    let (status, printed) = run(&(api(&pagerduty.url()) + &entries), &[], &wrong);
    assert_eq!(status, 1, "{printed}");
    let printed = backends.with_names(&pagerduty, &printed).replace(&id, "PSUB001");
    insta::assert_snapshot!(printed.replace(&gone.to_string(), "NOBODY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_servers_are_waited_for_together_and_not_for_long() {
    let (pagerduty, _) = pagerduty().await;
    pagerduty.fail_request(1, Fault::Hangs);
    let silent = Receiving::start();
    let entry = |name| backend(name, "datadog", &format!("http://{}", silent.address), DATADOG_KEY);
    let started = Instant::now();
    let entries = ["a", "b", "c", "d"].map(entry).concat();
    let (status, printed) = run(&(api(&pagerduty.url()) + &entries), &[], &[]);
    assert_eq!(
        (status, printed.matches("did not answer within 5 s: check url").count()),
        (1, 4),
        "{printed}"
    );
    assert!(printed.contains("failed PagerDuty token: PagerDuty's API cannot be reached"), "{printed}");
    assert!(started.elapsed() < Duration::from_secs(20), "one after the other");
    let names: Vec<&str> = printed.split("backend ").skip(1).map(|rest| &rest[..1]).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_counts_more_than_a_failure() {
    let entries = backend("gone", "http", &format!("http://{}", nobody()), "")
        + &backend("unset", "cdevents", "http://127.0.0.1:1", "token = { env = \"UNSET_SURELY\" }");
    let (status, printed) = run(&entries, &[], &[]);
    assert_eq!(status, 2, "{printed}");
    assert!(
        printed.contains("failed backend gone: ") && printed.contains("wrong  backend unset: "),
        "{printed}"
    );
    assert!(printed.ends_with("pagerduty-dora: 1 of the items above must be fixed first"), "{printed}");
    let token = api("http://127.0.0.1:1");
    let (status, printed) = run(&token, &[], &[("PD_TOKEN", "canary\u{e9}\u{7f}canary")]);
    assert!(status == 2 && printed.contains("wrong  pagerduty.api.token: "), "{printed}");
    assert!(!printed.contains("PagerDuty token"), "{printed}");
}
