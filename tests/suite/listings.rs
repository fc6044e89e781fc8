//! Listings of failures and deployments: what their parameters mean is the same in both.

use serde_json::{Value, json};

use crate::harness::Daemon;

/// A daemon with eight deployments and failures in turn in two envs. The first six deployments caused a failure.
async fn daemon_with_two_envs() -> Daemon {
    let daemon = Daemon::start("").await;
    for n in 0..8_u32 {
        let (env, hour) = (["production", "staging"][n as usize % 2], 2 * n);
        let at = |minute: u32| format!("2026-11-18T{hour:02}:{minute:02}:00Z");
        let deployment = json!({
            "service": "search", "env": env, "version": format!("v{n}"), "started_at": at(0), "finished_at": at(5),
        });
        let failure = json!({
            "services": ["search"], "env": env, "name": format!("number {n}"), "started_at": at(10),
            "finished_at": at(20),
        });
        for (path, attributes) in
            [("/deployment", Some(deployment)), ("/failure", (n < 6).then_some(failure))]
        {
            let Some(attributes) = attributes else { continue };
            let body = json!({ "data": { "attributes": attributes } });
            assert_eq!(daemon.events_api("POST", path, &body).await.status, 200);
        }
    }
    daemon
}

/// Number of lines of a CSV file without the first one.
async fn lines(daemon: &Daemon, path: &str) -> usize {
    daemon.get(path).await.body.lines().count() - 1
}

/// Number of rows of a page.
async fn rows(daemon: &Daemon, path: &str) -> usize {
    let page = daemon.get(path).await;
    assert_eq!(page.status, 200, "{path}");
    page.body.matches("<tr><th scope=\"row\">").count()
}

#[tokio::test]
async fn all_means_every_env_in_each_listing() {
    let daemon = daemon_with_two_envs().await;
    for (env, failures, deployments) in
        [("", 6, 8), ("env=", 6, 8), ("env=all", 6, 8), ("env=staging", 3, 4), ("env=All", 0, 0)]
    {
        for (kind, number) in [("failures", failures), ("deployments", deployments)] {
            let listed = daemon.get(&format!("/api/v1/{kind}?{env}")).await.json();
            assert_eq!(listed[kind].as_array().unwrap().len(), number, "{kind}?{env}");
            assert_eq!(lines(&daemon, &format!("/{kind}.csv?{env}")).await, number, "{kind}.csv?{env}");
            assert_eq!(rows(&daemon, &format!("/{kind}?{env}")).await, number, "{kind}?{env}");
        }
    }
    let page = daemon.get("/deployments?env=all").await.body;
    assert!(page.contains("name=\"env\" value=\"all\""), "the form keeps what was chosen: {page}");
}

/// Versions of the deployments of a listing, page by page.
async fn versions(daemon: &Daemon, query: &str) -> String {
    let mut versions = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = daemon.get(&format!("/api/v1/deployments?{query}{cursor}")).await.json();
        let text = |deployment: &Value| deployment["version"].as_str().unwrap().to_owned();
        versions.extend(page["deployments"].as_array().unwrap().iter().map(text));
        let Some(next) = page["next"].as_str() else { return versions.join(" ") };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn deployments_that_did_not_fail_are_the_others() {
    let daemon = daemon_with_two_envs().await;
    // One that did not fail is older than those that failed.
    let first = json!({ "service": "search", "version": "v", "started_at": "2026-11-17T00:00:00Z" });
    daemon.events_api("POST", "/deployment", &json!({ "data": { "attributes": first } })).await;
    for limit in [1, 2, 3, 100] {
        let of = async |query: &str| versions(&daemon, &format!("limit={limit}&{query}")).await;
        assert_eq!(of("failed=true").await, "v5 v4 v3 v2 v1 v0", "{limit}");
        assert_eq!(of("failed=false").await, "v7 v6 v", "{limit}");
        assert_eq!(of("failed=false&env=production").await, "v6 v", "{limit}");
        assert_eq!(of("").await, "v7 v6 v5 v4 v3 v2 v1 v0 v", "{limit}");
    }
    for (query, number) in [("failed=false", 3), ("failed=true", 6), ("failed=", 9)] {
        assert_eq!(rows(&daemon, &format!("/deployments?{query}")).await, number, "{query}");
        assert_eq!(lines(&daemon, &format!("/deployments.csv?{query}")).await, number, "{query}");
    }
    let page = daemon.get("/deployments?failed=false").await.body;
    assert!(page.contains("<option value=\"false\" selected>not failed</option>"), "{page}");
    assert_eq!(daemon.get("/api/v1/deployments?failed=no").await.status, 400);
}

#[tokio::test]
async fn the_limit_means_the_same_for_failures_and_deployments() {
    let daemon = daemon_with_two_envs().await;
    for kind in ["failures", "deployments"] {
        let all = if kind == "failures" { 6 } else { 8 };
        for (limit, listed) in [("1", 1), ("5", 5), ("1000", all), ("9999", all)] {
            let page = daemon.get(&format!("/api/v1/{kind}?limit={limit}")).await.json();
            assert_eq!(page[kind].as_array().unwrap().len(), listed, "{kind}, {limit}");
            assert_eq!(page["next"].is_null(), listed == all, "{kind}, {limit}");
        }
        for limit in ["0", "-1", "x", "", "1.5"] {
            let answer = daemon.get(&format!("/api/v1/{kind}?limit={limit}")).await;
            assert_eq!(answer.status, 400, "{kind}, {limit}");
            assert!(answer.body.contains("is not a number from 1 to 1000"), "{kind}: {}", answer.body);
        }
    }
}
