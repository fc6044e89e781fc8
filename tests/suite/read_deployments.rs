//! Deployments that are read from the APIs of GitHub and GitLab: what webhooks have missed is repaired, and nothing is
//! told twice.

mod api;
mod faults;
mod gitlab;
mod trouble;

use std::time::Duration;

use fastrand::Rng;
use pagerduty_dora::clock::Clock as _;

use self::api::{FakeApi, listed, on_github};
use crate::deployment_webhooks::{github_headers, post};
use crate::fake_github::{FakeDeployment, FakeGitHub, Fault};
use crate::fake_gitlab::FakeGitLab;
use crate::harness::{Daemon, Program, eventually, stdout, time};

/// Worlds of the property test of each API. `READ_WORLDS` sets another number.
const WORLDS: u64 = 4;

/// A GitHub with both repositories and these deployments.
async fn github_with(deployments: impl IntoIterator<Item = FakeDeployment>) -> FakeGitHub {
    let github = <FakeGitHub as FakeApi>::start().await;
    github.world().deployments.extend(deployments);
    github
}

/// Any webhooks are lost, late or doubled: one look gives the deployments that all of them give.
async fn one_look_repairs_what_was_lost<F: FakeApi>() {
    let worlds = std::env::var("READ_WORLDS").map_or(WORLDS, |worlds| worlds.parse().unwrap());
    let mut repaired = 0.0;
    for seed in 0..worlds {
        let mut rng = Rng::with_seed(seed);
        let fake = F::refusing().await;
        fake.add_random(&mut rng);
        let webhooks = fake.webhooks();
        let whole = Daemon::start(&fake.configuration()).await;
        for body in &webhooks {
            assert_eq!(F::tell(&whole, body).await, "accepted", "seed {seed}");
        }
        let wanted = listed(&whole).await;
        whole.stop().await.unwrap();

        let daemon = Daemon::start(&fake.configuration()).await;
        let mut order = webhooks.clone();
        rng.shuffle(&mut order);
        let (lost, delayed) = (rng.usize(..=order.len()), rng.usize(..=order.len()));
        let come = order.split_off(lost);
        for body in &come {
            F::tell(&daemon, body).await;
            if rng.u8(..4) == 0 {
                assert_eq!(F::tell(&daemon, body).await, "duplicate", "seed {seed}");
            }
        }
        fake.allow();
        F::next_look(&daemon).await;
        assert_eq!(listed(&daemon).await, wanted, "seed {seed}");
        repaired += F::metric(&daemon, "repaired_deployment_events_total").await;

        // Another look finds nothing new, and webhooks that come late change nothing.
        let events = daemon.probe().events();
        F::next_look(&daemon).await;
        assert_eq!(daemon.probe().events(), events, "seed {seed}");
        for body in order.iter().take(delayed) {
            assert_eq!(F::tell(&daemon, body).await, "accepted", "seed {seed}");
        }
        assert_eq!(listed(&daemon).await, wanted, "seed {seed}");
        daemon.stop().await.unwrap();
    }
    assert!(repaired > 10.0, "{repaired}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_webhooks_of_github_are_lost_one_look_repairs_them() {
    one_look_repairs_what_was_lost::<FakeGitHub>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_webhooks_of_gitlab_are_lost_one_look_repairs_them() {
    one_look_repairs_what_was_lost::<FakeGitLab>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_comes_later_adds_what_the_api_does_not_tell() {
    let github = github_with([on_github(1, "acme/cart", 10, &["in_progress", "success"])]).await;
    let tables = "[[deployment]]\nname = \"tests\"\njob = [\"test\"]\naction = \"ignore\"\n";
    let daemon = Daemon::start(&(github.configuration() + tables)).await;
    FakeGitHub::next_look(&daemon).await;
    let read = listed(&daemon).await;
    assert_eq!((read[0]["ignored"].as_bool(), read[0]["source"].as_str()), (Some(false), Some("github")));
    let id = read[0]["id"].as_str().unwrap().to_owned();
    let story = daemon.get(&format!("/api/v1/deployments/{id}")).await.json();
    let sources: Vec<&str> =
        story["events"].as_array().unwrap().iter().map(|event| event["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["githubapi", "githubapi"], "{story:#}");
    let explained = stdout(&Program::of(&daemon).run(&(github.configuration() + tables), &["explain", &id]));
    assert!(explained.contains("(read, no webhook)"), "{explained}");
    assert!(daemon.get("/").await.body.contains("Deployments were read from GitHub's API"));

    let one = github.world().deployments[0].clone();
    let mut webhook = github.webhook(&one, one.statuses[1]);
    webhook["check_run"] = serde_json::json!({ "name": "test" });
    assert_eq!(FakeGitHub::tell(&daemon, &webhook.to_string()).await, "accepted");
    let sent = listed(&daemon).await;
    assert_eq!(sent[0]["reason"], "the table \"tests\" ignores it", "{sent:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_webhook_asks_for_a_look_and_an_approval_of_long_ago_is_found() {
    let github = github_with([]).await;
    let daemon = Daemon::start(&github.configuration()).await;
    FakeGitHub::next_look(&daemon).await;
    let mut waiting = on_github(1, "acme/cart", 0, &["waiting"]);
    waiting.created_at = time("2026-11-10T00:00:00Z");
    waiting.statuses[0].2 = waiting.created_at;
    let webhook = github.webhook(&waiting, waiting.statuses[0]);
    assert_eq!(FakeGitHub::tell(&daemon, &webhook.to_string()).await, "accepted");
    let now = daemon.clock.now();
    waiting.statuses.push((101, "in_progress", now));
    waiting.statuses.push((102, "success", now));
    // It is behind one that is old enough to end the list.
    let mut old = on_github(2, "acme/cart", 0, &[]);
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
    let github = github_with([on_github(1, "acme/cart", 10, &["in_progress", "success"])]).await;
    github.change_faults(|faults| faults.all = Some(Fault::status(401)));
    let daemon = Daemon::start(&github.configuration()).await;
    eventually("the refused token", async || {
        daemon.get("/").await.body.contains("does not accept the token (HTTP 401").then_some(())
    })
    .await;
    github.world().repositories.retain(|name| name == "acme/cart");
    github.allow();
    FakeGitHub::next_look(&daemon).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_too_many_pages_is_given_up_and_shown() {
    let github = github_with((1..=301).map(|id| on_github(id, "acme/cart", 10, &[]))).await;
    github.world().most_per_page = 1;
    let daemon = Daemon::start(&github.configuration()).await;
    FakeGitHub::next_look(&daemon).await;
    let page = daemon.get("/").await.body;
    assert!(
        page.contains("1 repository is left out") && page.contains("list goes on after 300 pages"),
        "{page}"
    );
    let list = |request: &&String| request.contains("acme/cart/deployments?");
    assert_eq!(github.world().requests.iter().filter(list).count() % 300, 0);
}
