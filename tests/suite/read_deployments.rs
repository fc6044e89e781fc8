//! Deployments that are read from GitHub's API: what webhooks have missed is repaired, and nothing is told twice.

use std::time::Duration;

use fastrand::Rng;
use pagerduty_dora::clock::Clock as _;
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::Value;

use crate::deployment_webhooks::{GITHUB_SECRET, github_headers, post};
use crate::fake_github::{FakeDeployment, FakeGitHub, Fault};
use crate::harness::{Daemon, Program, eventually, stdout, time};
use crate::reconcile_daemon::metric;

const READ: &str = "pagerduty_dora_deployments_read_timestamp_seconds{source=\"github\"}";
const REPAIRED: &str = "pagerduty_dora_repaired_deployment_events_total{source=\"github\"}";
const FAILED: &str = "pagerduty_dora_deployment_reading_failures_total{source=\"github\"}";

/// Worlds of the property test. `READ_WORLDS` sets another number.
const WORLDS: u64 = 4;

/// A time of the day before the daemon's clock begins.
fn at(minute: u64) -> Timestamp {
    time("2026-11-19T02:00:00Z").saturating_add(Duration::from_mins(minute))
}

/// A deployment with these states, a minute apart.
fn deployment(id: u64, repository: &str, begin: u64, states: &[&'static str]) -> FakeDeployment {
    let statuses = states.iter().zip(0..).map(|(state, n)| (id * 100 + n, *state, at(begin + 1 + n)));
    FakeDeployment {
        id,
        repository: repository.to_owned(),
        environment: "production".to_owned(),
        sha: format!("{id:040x}"),
        created_at: at(begin),
        statuses: statuses.collect(),
    }
}

/// Configuration of a daemon that reads two repositories.
fn configuration(github: &FakeGitHub) -> String {
    let services = ["shop", "cart"].map(|name| {
        let page = github.page(&format!("acme/{name}"));
        format!(
            "[[service]]\npagerduty = \"P{name}\"\nservices = [\"{name}\"]\nrepository_url = \"{page}\"\n"
        )
    });
    github.section() + &services.concat()
}

/// A GitHub with two repositories that refuses everything until [`allow`].
async fn refusing(deployments: Vec<FakeDeployment>) -> FakeGitHub {
    let github = FakeGitHub::start().await;
    let mut world = github.world();
    world.repositories = vec!["Acme/shop".to_owned(), "acme/cart".to_owned()];
    world.deployments = deployments;
    world.faults.insert(0, [Fault::status(401)].into());
    drop(world);
    github
}

fn allow(github: &FakeGitHub) {
    let mut world = github.world();
    world.faults.clear();
    world.requests.clear();
}

async fn tell(daemon: &Daemon, body: &str) -> String {
    let url = format!("http://{}/webhooks/github", daemon.public);
    let answer = post(url, &github_headers(GITHUB_SECRET, body.as_bytes()), body).await;
    answer.json()["status"].as_str().unwrap().to_owned()
}

/// Lets time pass until a look has succeeded that began after this call.
async fn next_look(daemon: &Daemon) {
    let begin = daemon.clock.now().as_seconds();
    eventually("the next look at GitHub", async || {
        daemon.clock.advance(Duration::from_secs(30));
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
        let at = metric(daemon, READ).await as i64;
        (at > begin).then_some(())
    })
    .await;
}

/// All deployments as the API lists them, those that count and those that do not.
async fn listed(daemon: &Daemon) -> Vec<Value> {
    daemon.until_folded().await;
    let mut all = Vec::new();
    for ignored in ["false", "true"] {
        let page = daemon.get(&format!("/api/v1/deployments?limit=1000&ignored={ignored}")).await.json();
        all.extend(page["deployments"].as_array().unwrap().clone());
    }
    all.sort_by_key(|deployment| deployment["id"].to_string());
    all
}

/// A listing as text that is the same for each fake.
fn without_address(listed: &[Value], github: &FakeGitHub) -> String {
    Value::from(listed.to_vec()).to_string().replace(&github.address.to_string(), "GITHUB")
}

/// Deployments of a day: some fail, wait or are repeated, and successful ones become inactive.
fn random(rng: &mut Rng) -> Vec<FakeDeployment> {
    let mut deployments = Vec::new();
    for id in 1..=rng.u64(4..14) {
        let states: &[&'static str] = match rng.u8(..7) {
            0 => &["queued", "in_progress", "failure"],
            1 => &["waiting", "queued", "in_progress", "success", "inactive"],
            2 => &["success"],
            3 => &["in_progress", "success", "in_progress", "success"],
            4 => &["waiting"],
            5 => &["pending", "in_progress", "error"],
            _ => &["queued", "in_progress", "success"],
        };
        let name = if rng.bool() { "Acme/shop" } else { "acme/cart" };
        let mut one = deployment(id, name, rng.u64(..1_290), states);
        // Several states share a second.
        if rng.u8(..3) == 0 {
            let first = one.statuses[0].2;
            one.statuses.iter_mut().for_each(|status| status.2 = first);
        }
        if rng.u8(..3) == 0 {
            ["staging", "Production"][rng.usize(..2)].clone_into(&mut one.environment);
        }
        deployments.push(one);
    }
    deployments
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_webhooks_are_lost_one_look_repairs_them() {
    let worlds = std::env::var("READ_WORLDS").map_or(WORLDS, |worlds| worlds.parse().unwrap());
    let mut repaired = 0.0;
    for seed in 0..worlds {
        let mut rng = Rng::with_seed(seed);
        let github = refusing(random(&mut rng)).await;
        github.world().most_per_page = rng.usize(1..5);
        let webhooks = github.webhooks();
        let whole = Daemon::start(&configuration(&github)).await;
        for body in &webhooks {
            assert_eq!(tell(&whole, body).await, "accepted", "seed {seed}");
        }
        let wanted = listed(&whole).await;
        whole.stop().await.unwrap();

        let daemon = Daemon::start(&configuration(&github)).await;
        let mut order = webhooks.clone();
        rng.shuffle(&mut order);
        let (lost, delayed) = (rng.usize(..=order.len()), rng.usize(..=order.len()));
        let come = order.split_off(lost);
        for body in &come {
            tell(&daemon, body).await;
            if rng.u8(..4) == 0 {
                assert_eq!(tell(&daemon, body).await, "duplicate", "seed {seed}");
            }
        }
        allow(&github);
        next_look(&daemon).await;
        assert_eq!(listed(&daemon).await, wanted, "seed {seed}");
        repaired += metric(&daemon, REPAIRED).await;

        // Another look finds nothing new, and webhooks that come late change nothing.
        let events = daemon.probe().events();
        next_look(&daemon).await;
        assert_eq!(daemon.probe().events(), events, "seed {seed}");
        for body in order.iter().take(delayed) {
            assert_eq!(tell(&daemon, body).await, "accepted", "seed {seed}");
        }
        assert_eq!(listed(&daemon).await, wanted, "seed {seed}");
        daemon.stop().await.unwrap();
    }
    assert!(repaired > 10.0, "{repaired}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_any_request_is_made_good() {
    const FAULTS: [Fault; 5] = [
        Fault::status(502),
        Fault { status: 403, headers: &[("retry-after", "90")], body: "{}" },
        Fault { status: 429, headers: &[("x-ratelimit-reset", "1795132860")], body: "{}" },
        Fault { status: 200, headers: &[], body: "[{\"id\":" },
        Fault::status(401),
    ];
    let world = || {
        vec![
            deployment(1, "Acme/shop", 10, &["queued", "in_progress", "success"]),
            deployment(2, "acme/cart", 20, &["in_progress", "failure"]),
        ]
    };
    let github = refusing(world()).await;
    allow(&github);
    let daemon = Daemon::start(&configuration(&github)).await;
    next_look(&daemon).await;
    let wanted = without_address(&listed(&daemon).await, &github);
    let requests = github.world().requests.len();
    let events = daemon.probe().events();
    daemon.stop().await.unwrap();
    assert_eq!(events, 5);
    // Those of the first look.
    for number in 1..=requests.min(6) {
        let github = refusing(world()).await;
        allow(&github);
        let fault = FAULTS[number % FAULTS.len()];
        // A request that may be repeated is, so all of its attempts fail.
        let attempts = if fault.status == 502 { 3 } else { 1 };
        github.world().faults.extend((number..number + attempts).map(|number| (number, [fault].into())));
        let daemon = Daemon::start(&configuration(&github)).await;
        eventually("the failed look", async || (metric(&daemon, FAILED).await > 0.5).then_some(())).await;
        next_look(&daemon).await;
        assert_eq!(without_address(&listed(&daemon).await, &github), wanted, "{number}");
        assert_eq!(daemon.probe().events(), events, "{number}");
        daemon.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_comes_later_adds_what_the_api_does_not_tell() {
    let github = refusing(vec![deployment(1, "acme/cart", 10, &["in_progress", "success"])]).await;
    allow(&github);
    let tables = "[[deployment]]\nname = \"tests\"\njob = [\"test\"]\naction = \"ignore\"\n";
    let daemon = Daemon::start(&(configuration(&github) + tables)).await;
    next_look(&daemon).await;
    let read = listed(&daemon).await;
    assert_eq!((read[0]["ignored"].as_bool(), read[0]["source"].as_str()), (Some(false), Some("github")));
    let id = read[0]["id"].as_str().unwrap().to_owned();
    let story = daemon.get(&format!("/api/v1/deployments/{id}")).await.json();
    let sources: Vec<&str> =
        story["events"].as_array().unwrap().iter().map(|event| event["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["githubapi", "githubapi"], "{story:#}");
    let explained = stdout(&Program::of(&daemon).run(&(configuration(&github) + tables), &["explain", &id]));
    assert!(explained.contains("(read, no webhook)"), "{explained}");
    assert!(daemon.get("/").await.body.contains("Deployments were read from GitHub's API"));

    let one = github.world().deployments[0].clone();
    let mut webhook = github.webhook(&one, one.statuses[1]);
    webhook["check_run"] = serde_json::json!({ "name": "test" });
    assert_eq!(tell(&daemon, &webhook.to_string()).await, "accepted");
    let sent = listed(&daemon).await;
    assert_eq!(sent[0]["reason"], "the table \"tests\" ignores it", "{sent:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_webhook_asks_for_a_look_and_an_approval_of_long_ago_is_found() {
    let github = refusing(Vec::new()).await;
    allow(&github);
    let daemon = Daemon::start(&configuration(&github)).await;
    next_look(&daemon).await;
    let mut waiting = deployment(1, "acme/cart", 0, &["waiting"]);
    waiting.created_at = time("2026-11-10T00:00:00Z");
    waiting.statuses[0].2 = waiting.created_at;
    let webhook = github.webhook(&waiting, waiting.statuses[0]);
    assert_eq!(tell(&daemon, &webhook.to_string()).await, "accepted");
    let now = daemon.clock.now();
    waiting.statuses.push((101, "in_progress", now));
    waiting.statuses.push((102, "success", now));
    // It is behind one that is old enough to end the list.
    let mut old = deployment(2, "acme/cart", 0, &[]);
    old.created_at = time("2026-11-12T00:00:00Z");
    github.world().deployments.extend([waiting, old]);
    github.world().most_per_page = 1;
    github.world().now = Some(now.saturating_add(Duration::from_mins(10)));
    let url = format!("http://{}/webhooks/github", daemon.public);
    let answer = post(url, &github_headers("another-secret-of-16", b"{}"), "{}").await;
    assert_eq!(answer.status, 401);
    // Ten minutes at most, so not after the usual 15. No more of them, however long the look takes on a busy machine.
    let mut steps = 0..300;
    eventually("the success", async || {
        if steps.next().is_some() {
            daemon.clock.advance(Duration::from_secs(2));
        }
        // Between its two pages, the deployment may move from the second to the first, and be in none.
        let all = listed(&daemon).await;
        all.first().is_some_and(|deployment| deployment["ignored"] == false).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_cannot_be_read_stops_no_other_one_and_a_refused_token_is_shown() {
    let github = refusing(vec![deployment(1, "acme/cart", 10, &["in_progress", "success"])]).await;
    let daemon = Daemon::start(&configuration(&github)).await;
    eventually("the refused token", async || {
        daemon.get("/").await.body.contains("does not accept the token (HTTP 401").then_some(())
    })
    .await;
    github.world().repositories.retain(|name| name == "acme/cart");
    allow(&github);
    next_look(&daemon).await;
    assert_eq!(listed(&daemon).await.len(), 1);
    let page = daemon.get("/").await.body;
    assert!(page.contains("1 repository is left out") && !page.contains("HTTP 401"), "{page}");
    // No repository at all is most often a token without the right.
    github.world().repositories.clear();
    eventually("a failed look", async || {
        daemon.clock.advance(Duration::from_mins(1));
        daemon.get("/").await.body.contains("none of the 2 repositories can be read").then_some(())
    })
    .await;
}
