//! `deployments --ignored`, its page and its CSV, and the explanations of deployments that sources told of.

use serde_json::{Value, json};

use super::hooks::{CONFIGURATION, Hooks, deliver_github, deliver_gitlab, gitlab};
use crate::harness::{Daemon, Program, stdout};

/// Deployments that count, and some that do not.
async fn daemon() -> Daemon {
    let daemon = Daemon::start(CONFIGURATION).await;
    let mut hooks = Hooks::default();
    for (state, number, at) in [
        ("in_progress", 7, "10:01:05"),
        ("success", 7, "10:03:30"),
        ("failure", 8, "11:00:00"),
        ("in_progress", 9, "12:00:00"),
    ] {
        deliver_github(&daemon, &hooks.github(state, number, at), "accepted").await;
    }
    let review = include_str!("../../../fixtures/gitlab/deployment.review.json");
    deliver_gitlab(&daemon, review, "accepted").await;
    deliver_gitlab(&daemon, &gitlab("success", 15, "14:03:30 +0100", super::COMMIT), "accepted").await;
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_the_api_the_page_and_the_file_list_the_same() {
    let daemon = daemon().await;
    let program = Program::of(&daemon);
    let run = |arguments: &[&str]| stdout(&program.run(CONFIGURATION, arguments));
    let page = daemon.get("/api/v1/deployments?ignored=true").await.json();
    let printed: Value =
        serde_json::from_str(&run(&["deployments", "--ignored", "--format", "json"])).unwrap();
    assert_eq!(printed, page);
    let listed = page["deployments"].as_array().unwrap();
    assert!(listed.iter().all(|one| one["ignored"] == true && one["reason"].is_string()), "{page:#}");
    let table = run(&["deployments", "--ignored"]);
    insta::assert_snapshot!(format!("{}\n{table}", serde_json::to_string_pretty(&page).unwrap()));

    let shown = daemon.get("/deployments?ignored=true").await.body;
    let file = daemon.get("/deployments.csv?ignored=true").await.body;
    for one in listed {
        let (id, reason) = (one["id"].as_str().unwrap(), one["reason"].as_str().unwrap());
        let escaped = reason.replace('"', "&quot;");
        assert!(shown.contains(&escaped) && file.contains(id), "{id} {reason}");
    }
    assert_eq!(file.lines().count(), 1 + listed.len());
    let counting = daemon.get("/deployments").await.body;
    assert!(counting.contains("deployments?ignored=true") && !counting.contains("it failed"));
    let mut query = "?ignored=true&limit=1".to_owned();
    for one in listed {
        let page = daemon.get(&format!("/api/v1/deployments{query}")).await.json();
        assert_eq!(page["deployments"], json!([one]));
        query = format!("?ignored=true&limit=1&cursor={}", page["next"].as_str().unwrap_or_default());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_the_events_and_the_reasons() {
    let daemon = daemon().await;
    let program = Program::of(&daemon);
    let texts = [
        "GitHub:GitHub.com:deployment:7",
        "github:github.com:deployment:8",
        "GITLAB:gitlab.example.com:deployment:15",
    ]
    .map(|id| stdout(&program.run(CONFIGURATION, &["explain", id])));
    let texts = texts.join("\n----\n\n");
    let timeless: Vec<&str> = texts.lines().filter(|line| !line.starts_with("pending ")).collect();
    insta::assert_snapshot!(timeless.join("\n"));
    let story = daemon.get("/api/v1/deployments/github:github.com:deployment:8").await.json();
    assert_eq!(story["events"].as_array().unwrap().len(), 1);
    let page = daemon.get("/deployments/github:github.com:deployment:8").await.body;
    assert!(page.contains("ignored") && page.contains("it failed"), "{page}");
}
