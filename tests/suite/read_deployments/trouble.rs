//! Answers that are odd, cut off, too long or missing: they cost as little as they can, and people are told.

use std::time::Duration;

use pagerduty_dora::clock::Clock as _;
use serde_json::json;

use super::api::{FakeApi as _, listed, on_github, on_gitlab};
use super::github_with;
use crate::fake_github::{FakeGitHub, Fault};
use crate::fake_gitlab::FakeGitLab;
use crate::harness::{Daemon, eventually, time};

const SUCCEEDS: [&str; 2] = ["in_progress", "success"];

async fn until_shown(daemon: &Daemon, words: &str) {
    eventually(words, async || daemon.get("/").await.body.contains(words).then_some(())).await;
}

/// Number of requests whose addresses contain a text.
fn requests(github: &FakeGitHub, text: &str) -> usize {
    github.world().requests.iter().filter(|request| request.contains(text)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_whose_answers_are_cut_off_stops_no_later_one() {
    let github = github_with([on_github(1, "Acme/shop", 10, &SUCCEEDS)]).await;
    github.change_faults(|faults| faults.containing.push(("/acme/cart", Fault::CUT)));
    let daemon = Daemon::start(&github.configuration()).await;
    eventually("the other repository", async || (listed(&daemon).await.len() == 1).then_some(())).await;
    until_shown(&daemon, "acme/cart").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_is_not_answered_for_keeps_no_other_deployment_back() {
    let gitlab = <FakeGitLab as super::api::FakeApi>::start().await;
    let mut other = on_gitlab(2, "acme/cart", 20, &["running", "success"]);
    other.environment = "live-eu";
    let one = on_gitlab(1, "acme/cart", 10, &["running", "success"]);
    gitlab.world().deployments.extend([one, other]);
    gitlab.change_faults(|faults| faults.containing.push(("/environments/0", Fault::status(500))));
    let daemon = Daemon::start(&gitlab.configuration()).await;
    eventually("the other one", async || (listed(&daemon).await.len() == 1).then_some(())).await;
    gitlab.allow();
    FakeGitLab::next_look(&daemon).await;
    assert_eq!(listed(&daemon).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deployments_that_failed_hide_no_unfinished_one() {
    let github = github_with([]).await;
    let daemon = Daemon::start(&github.configuration()).await;
    FakeGitHub::next_look(&daemon).await;
    let mut one = on_github(1, "acme/cart", 0, &["in_progress"]);
    one.created_at = time("2026-11-10T00:00:00Z");
    one.statuses[0].2 = one.created_at;
    let webhook = github.webhook(&one, one.statuses[0]).to_string();
    assert_eq!(FakeGitHub::tell(&daemon, &webhook).await, "accepted");
    for id in 2..=506 {
        let failed = on_github(id, "acme/cart", id, &["failure"]);
        let webhook = github.webhook(&failed, failed.statuses[0]).to_string();
        assert_eq!(FakeGitHub::tell(&daemon, &webhook).await, "accepted");
    }
    let now = daemon.clock.now();
    one.statuses.push((102, "success", now));
    // It is behind one that is old enough to end the list.
    let mut old = on_github(507, "acme/cart", 0, &[]);
    old.created_at = time("2026-11-12T00:00:00Z");
    github.world().deployments.extend([one, old]);
    github.world().most_per_page = 1;
    github.world().now = Some(now.saturating_add(Duration::from_hours(2)));
    let mut steps = 0..480;
    eventually("the success", async || {
        if steps.next().is_some() {
            daemon.clock.advance(Duration::from_secs(30));
        }
        let page = daemon.get("/api/v1/deployments").await.json();
        (page["deployments"][0]["id"].as_str()?.ends_with(":1")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_takes_too_much_memory_is_given_up_and_shown() {
    let github = github_with([]).await;
    let page = json!([{ "id": 1, "created_at": "2026-11-19T02:10:00Z", "payload": "x".repeat(15 << 20) }]);
    let page: &str = Box::leak(page.to_string().into_boxed_str());
    let next = &[("link", "<http://127.0.0.1/>; rel=\"next\"")];
    let endless = Fault { status: 200, headers: next, body: page };
    github.change_faults(|faults| faults.containing.push(("/acme/cart/deployments?", endless)));
    let daemon = Daemon::start(&github.configuration()).await;
    until_shown(&daemon, "more than 64 MiB").await;
    assert!(daemon.get("/").await.body.contains("1 repository is left out"));
    assert_eq!(requests(&github, "/acme/cart/deployments?"), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_no_repository_is_not_shown_as_a_success() {
    let github = github_with([on_github(1, "acme/cart", 10, &SUCCEEDS)]).await;
    let daemon = Daemon::start(&github.section()).await;
    let elsewhere = on_github(2, "acme/cart", 10, &SUCCEEDS);
    let webhook = github.webhook(&elsewhere, elsewhere.statuses[0]).to_string();
    let webhook = webhook.replace(&github.address.to_string(), "github.example.com");
    assert_eq!(FakeGitHub::tell(&daemon, &webhook).await, "accepted");
    FakeGitHub::next_look(&daemon).await;
    until_shown(&daemon, &format!("reads no repository: none that is known is on {}", github.address)).await;
    assert!(!daemon.get("/").await.body.contains("Deployments were read from GitHub"));
    assert_eq!(requests(&github, ""), 0);
}
