//! Deployments that are read from GitLab's API: what is not the same as at GitHub.

use std::time::Duration;

use pagerduty_dora::clock::Clock as _;
use serde_json::{Value, json};

use super::api::{FakeApi as _, listed, on_gitlab};
use crate::deployment_webhooks::post;
use crate::fake_github::{FakeGitHub, Fault};
use crate::fake_gitlab::FakeGitLab;
use crate::harness::{Daemon, Program, eventually, stdout, time};

/// A GitLab with both projects and these deployments.
async fn gitlab_with(
    deployments: impl IntoIterator<Item = crate::fake_gitlab::FakeDeployment>,
) -> FakeGitLab {
    let gitlab = <FakeGitLab as super::api::FakeApi>::start().await;
    gitlab.world().deployments.extend(deployments);
    gitlab
}

fn ids(listed: &[Value]) -> Vec<&str> {
    listed.iter().map(|deployment| deployment["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_read_is_that_of_its_webhooks() {
    let gitlab = gitlab_with([on_gitlab(15, "acme/cart", 10, &["running", "success"])]).await;
    let daemon = Daemon::start(&gitlab.configuration()).await;
    FakeGitLab::next_look(&daemon).await;
    let read = listed(&daemon).await;
    assert_eq!(read.len(), 1, "{read:#?}");
    let deployment = &read[0];
    let told = ["source", "service", "env", "ignored", "started_at", "finished_at", "commit_sha"];
    assert_eq!(
        told.map(|key| deployment[key].clone()),
        [
            json!("gitlab"),
            json!("cart"),
            json!("production"),
            json!(false),
            json!("2026-11-19T02:11:00Z"),
            json!("2026-11-19T02:12:00Z"),
            json!(format!("{:040x}", 15)),
        ]
    );
    let id = ids(&read)[0].to_owned();
    let story = daemon.get(&format!("/api/v1/deployments/{id}")).await.json();
    let events = story["events"].as_array().unwrap().iter();
    let sources: Vec<_> = events.map(|event| event["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["gitlabapi", "gitlabapi"], "{story:#}");
    let explained = stdout(&Program::of(&daemon).run(&gitlab.configuration(), &["explain", &id]));
    assert!(explained.contains("(read, no webhook)"), "{explained}");
    assert!(daemon.get("/").await.body.contains("Deployments were read from GitLab's API"));

    // The time of its webhook is the better one.
    let one = gitlab.world().deployments[0].clone();
    let webhook = gitlab.webhook(&one, ("success", one.statuses[1].1.saturating_add(Duration::from_secs(2))));
    assert_eq!(FakeGitLab::tell(&daemon, &webhook.to_string()).await, "accepted");
    let sent = listed(&daemon).await;
    assert_eq!(sent[0]["finished_at"], "2026-11-19T02:12:02Z");
    assert_eq!((sent.len(), &sent[0]["id"]), (1, &read[0]["id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_changes_are_read_again_with_the_overlap() {
    let gitlab = gitlab_with([on_gitlab(1, "acme/cart", 10, &["running", "success"])]).await;
    let daemon = Daemon::start(&gitlab.configuration()).await;
    eventually("the first look", async || (FakeGitLab::last_look(&daemon).await > 0).then_some(())).await;
    gitlab.world().requests.clear();
    FakeGitLab::next_look(&daemon).await;
    let requests = gitlab.world().requests.clone();
    let list = "/git/api/v4/projects/acme%2Fcart/deployments?updated_after=2026-11-19T23%3A50%3A00Z&order_by=updated_at\
                &sort=desc&per_page=100&page=1";
    assert_eq!(
        requests[..],
        [
            "/git/api/v4/projects/acme%2Fcart",
            list,
            "/git/api/v4/projects/acme%2Fshop",
            &list.replace("cart", "shop"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_webhook_asks_for_a_look_and_an_approval_of_long_ago_is_found() {
    let gitlab = gitlab_with([]).await;
    let daemon = Daemon::start(&gitlab.configuration()).await;
    eventually("the first look", async || (FakeGitLab::last_look(&daemon).await > 0).then_some(())).await;
    let mut blocked = on_gitlab(1, "acme/cart", 0, &["blocked"]);
    blocked.statuses[0].1 = time("2026-11-10T00:00:00Z");
    let webhook = gitlab.webhook(&blocked, blocked.statuses[0]);
    assert_eq!(FakeGitLab::tell(&daemon, &webhook.to_string()).await, "accepted");
    let now = daemon.clock.now();
    blocked.statuses.extend([("running", now), ("success", now)]);
    gitlab.world().deployments.push(blocked);
    gitlab.world().now = Some(now.saturating_add(Duration::from_mins(10)));
    let url = format!("http://{}/webhooks/gitlab", daemon.public);
    let answer = post(url, &[("x-gitlab-token", "another-token-of-16".to_owned())], "{}").await;
    assert_eq!(answer.status, 401);
    // Ten minutes at most, so not after the usual 15.
    let mut steps = 0..300;
    eventually("the success", async || {
        if steps.next().is_some() {
            daemon.clock.advance(Duration::from_secs(2));
        }
        let all = listed(&daemon).await;
        all.first().is_some_and(|deployment| deployment["ignored"] == false).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_was_deleted_is_judged_by_its_name() {
    let gitlab = gitlab_with([on_gitlab(1, "acme/cart", 10, &["running", "success"])]).await;
    // The first project is asked for, then its list, and then the environment.
    gitlab.change_faults(|faults| {
        faults.numbered.insert(3, Fault::status(404));
    });
    let daemon = Daemon::start(&gitlab.configuration()).await;
    FakeGitLab::next_look(&daemon).await;
    assert!(gitlab.world().requests[2].ends_with("/environments/0"), "{:?}", gitlab.world().requests);
    let read = listed(&daemon).await;
    assert_eq!((read.len(), &read[0]["env"], &read[0]["ignored"]), (1, &json!("production"), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_cannot_be_read_stops_no_other_one() {
    let gitlab = gitlab_with([on_gitlab(1, "acme/cart", 10, &["running", "success"])]).await;
    gitlab.change_faults(|faults| faults.all = Some(Fault::status(401)));
    let daemon = Daemon::start(&gitlab.configuration()).await;
    eventually("the refused token", async || {
        daemon.get("/").await.body.contains("GitLab does not accept the token (HTTP 401").then_some(())
    })
    .await;
    gitlab.world().projects.retain(|path| path == "acme/cart");
    gitlab.allow();
    FakeGitLab::next_look(&daemon).await;
    assert_eq!(listed(&daemon).await.len(), 1);
    let page = daemon.get("/").await.body;
    assert!(page.contains("1 repository is left out") && !page.contains("HTTP 401"), "{page}");
    // A scope that is missing is missing for each project.
    gitlab.change_faults(|faults| {
        faults.all = Some(Fault { status: 403, headers: &[], body: r#"{"error": "insufficient_scope"}"# });
    });
    eventually("a failed look", async || {
        daemon.clock.advance(Duration::from_mins(1));
        let page = daemon.get("/").await.body;
        (page.contains("none of the 2 repositories can be read") && page.contains("the scope read_api"))
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_a_source_may_name_a_repository_of_either() {
    let (github, gitlab) = (FakeGitHub::start().await, FakeGitLab::start().await);
    github.world().repositories = vec!["acme/shop".to_owned()];
    gitlab.world().projects = vec!["acme/web/cart".to_owned()];
    gitlab.world().deployments = vec![on_gitlab(1, "acme/web/cart", 10, &["running", "success"])];
    let configuration = format!(
        "{}{}[[deployment]]\nname = \"all\"\nrepository = [\"acme/shop\", \"acme/web/cart\"]\n",
        github.section(),
        gitlab.section()
    );
    let daemon = Daemon::start(&configuration).await;
    FakeGitHub::next_look(&daemon).await;
    FakeGitLab::next_look(&daemon).await;
    assert_eq!(listed(&daemon).await.len(), 1);
    let page = daemon.get("/").await.body;
    assert!(!page.contains("left out") && !page.contains("HTTP 404"), "{page}");
    assert!(github.world().requests.iter().all(|request| !request.contains("cart")));
}
