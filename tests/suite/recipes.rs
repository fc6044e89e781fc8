//! The recipes in `docs/deployments/`: their scripts run against a daemon, with stand-ins for the tools around them.

mod page;
mod workspace;

use std::collections::BTreeSet;

use pagerduty_dora::config::Config;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use self::page::{Page, Script};
use self::workspace::Workspace;
use crate::datadog_ci::{Terminator, is_client_ready};
use crate::harness::{Answer, Daemon, KEY};
use crate::node::{program, script};

/// Commit that every stand-in names.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Version that every stand-in names.
const VERSION: &str = "1.42.0";

const CHECKOUT: &str = "https://github.com/acme/checkout";

/// The pages with scripts, each with the repository that it reports.
const WITH_SCRIPTS: [(&str, Option<&str>); 9] = [
    ("azure-devops.md", Some(CHECKOUT)),
    ("bitbucket.md", Some("https://bitbucket.org/acme/checkout")),
    ("circleci.md", Some(CHECKOUT)),
    ("curl.md", Some(CHECKOUT)),
    ("flux.md", Some("https://github.com/acme/gitops")),
    ("github-actions.md", Some(CHECKOUT)),
    ("gitlab-ci.md", Some(CHECKOUT)),
    ("jenkins.md", Some(CHECKOUT)),
    ("octopus.md", None),
];

/// The pages that other tests try.
const OTHERS: [&str; 4] = ["README.md", "argo-cd.md", "datadog-ci.md", "spinnaker.md"];

/// `true` if the programs of the scripts are installed. With `REQUIRE_ALL` the test fails if one is missing.
fn can_run_scripts() -> bool {
    let Some(missing) = ["curl", "jq"].into_iter().find(|name| program(name).is_none()) else { return true };
    assert!(std::env::var_os("REQUIRE_ALL").is_none(), "{missing} is missing");
    println!("skipped: {missing} is missing; the recipes were not run");
    false
}

/// The deployments that a daemon has.
async fn deployments(daemon: &Daemon) -> Vec<Value> {
    daemon.until_folded().await;
    daemon.get("/api/v1/deployments").await.json()["deployments"].as_array().unwrap().clone()
}

/// Sends a body to the event API as it is.
async fn post(daemon: &Daemon, body: String) -> Answer {
    let url = format!("http://{}/api/v2/dora/deployment", daemon.public);
    let request = daemon.client.post(url).header("dd-api-key", KEY).body(body);
    Answer::of(request.send().await.unwrap()).await
}

/// The parts of a deployment that recipes tell.
fn told(deployment: &Value) -> Value {
    let parts =
        ["service", "env", "version", "started_at", "finished_at", "commit_sha", "repository_url", "source"];
    parts.into_iter().map(|part| (part.to_owned(), deployment[part].clone())).collect()
}

/// The same parts of the deployment that the stand-ins make.
fn expected(repository: Option<&str>) -> Value {
    json!({
        "service": "checkout", "env": "production", "version": VERSION, "source": "api",
        "started_at": "2026-11-01T10:00:00Z", "finished_at": "2026-11-01T10:05:00Z",
        "commit_sha": repository.map(|_| COMMIT), "repository_url": repository,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recipe_reports_a_deployment_that_succeeded() {
    if !can_run_scripts() {
        return;
    }
    for (name, repository) in WITH_SCRIPTS {
        let runs = Page::read(name).runs();
        assert!(!runs.is_empty(), "{name} has no script");
        for scripts in runs {
            let daemon = Daemon::start("").await;
            let log = block_in_place(|| Workspace::of(&daemon).run(&scripts));
            let deployments = deployments(&daemon).await;
            assert_eq!(deployments.len(), 1, "{name}: {log:?}");
            assert_eq!(told(&deployments[0]), expected(repository), "{name}: {log:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_recipe_reports_a_deployment_that_failed() {
    if !can_run_scripts() {
        return;
    }
    // The steps that deploy are not on the page of Octopus.
    for (name, _) in WITH_SCRIPTS.into_iter().filter(|(name, _)| *name != "octopus.md") {
        for scripts in Page::read(name).runs() {
            let daemon = Daemon::start("").await;
            let log = block_in_place(|| Workspace::of(&daemon).with_a_failing_deployment().run(&scripts));
            let metrics = daemon.get("/metrics").await.body;
            let requests: Vec<&str> = metrics
                .lines()
                .filter(|line| line.starts_with("pagerduty_dora_events_api_requests_total{"))
                .collect();
            assert!(
                !requests.is_empty() && requests.iter().all(|line| line.ends_with(" 0")),
                "{name}: {log:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_for_datadogs_client_reports_a_deployment() {
    if !is_client_ready() {
        return;
    }
    let daemon = Daemon::start("").await;
    let terminator = Terminator::start(daemon.public, 0);
    let mut workspace = Workspace::of(&daemon);
    for (name, value) in terminator.variables() {
        workspace.set(name, value);
    }
    let (programs, path) = (script("node_modules/.bin"), std::env::var("PATH").unwrap());
    workspace.set("PATH", format!("{}:{path}", programs.display()));
    let page = Page::read("datadog-ci.md");
    let text = page.only("sh").replace("DD_SITE=dora.example.com", "DD_SITE=localhost");
    let log = block_in_place(|| workspace.run(&[Script::new(&text)]));
    let deployments = deployments(&daemon).await;
    assert_eq!(deployments.len(), 1, "{log:?}");
    assert_eq!(told(&deployments[0]), expected(Some(CHECKOUT)));
}

#[tokio::test]
async fn the_parts_of_argo_cds_configuration_name_each_other() {
    let page = Page::read("argo-cd.md");
    let config: Value = serde_saphyr::from_str(&page.only("yaml")).unwrap();
    let part = |name: &str| -> Value {
        let text = config["data"][name].as_str().unwrap_or_else(|| panic!("{name} is missing"));
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let subscription = part("subscriptions")[0].clone();
    let recipient = subscription["recipients"][0].as_str().unwrap().to_owned();
    let service = part(&format!("service.webhook.{recipient}"));
    assert_eq!(service["headers"], json!([{ "name": "DD-API-KEY", "value": "$dora-key" }]));
    let trigger = part(&format!("trigger.{}", subscription["triggers"][0].as_str().unwrap()))[0].clone();
    assert_eq!(trigger["oncePer"], "app.status.history[-1].id");
    let template = part(&format!("template.{}", trigger["send"][0].as_str().unwrap()));
    let webhook = &template["webhook"][&recipient];
    assert_eq!((&webhook["method"], &webhook["path"]), (&json!("POST"), &json!("/api/v2/dora/deployment")));
    let body = webhook["body"].as_str().unwrap();
    assert_eq!(body.matches("{{").count(), body.matches("}}").count(), "{body}");

    let daemon = Daemon::start("").await;
    let answer = post(&daemon, page.only("json")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let deployments = deployments(&daemon).await;
    assert_eq!(told(&deployments[0]), expected(Some("https://github.com/acme/gitops")));
    let sent: Value = serde_json::from_str(&page.only("json")).unwrap();
    for attribute in sent["data"]["attributes"].as_object().unwrap().keys() {
        assert!(body.contains(&format!("\"{attribute}\"")), "the template has no {attribute}");
    }
}

#[tokio::test]
async fn spinnakers_payload_is_accepted() {
    let config: Value = serde_saphyr::from_str(&Page::read("spinnaker.md").only("yaml")).unwrap();
    let stage = &config["webhook"]["preconfigured"][0];
    assert_eq!(stage["url"], "https://dora.example.com/api/v2/dora/deployment");
    assert!(stage["customHeaders"]["DD-API-KEY"].is_array());
    let mut payload = stage["payload"].as_str().unwrap().to_owned();
    for parameter in stage["parameters"].as_array().unwrap() {
        let name = parameter["name"].as_str().unwrap();
        assert!(payload.contains(&format!("parameterValues['{name}']")), "{name} is not used");
    }
    let time = |of: &str| format!("${{#stage(parameterValues['stage'])['{of}']}}");
    let text = |of: &str| format!("${{parameterValues['{of}']}}");
    for (expression, value) in [
        (time("startTime"), "1793527200000"),
        (time("endTime"), "1793527500000"),
        (text("service"), "checkout"),
        (text("env"), "production"),
        (text("version"), VERSION),
        (text("commit"), COMMIT),
        (text("repository"), CHECKOUT),
    ] {
        payload = payload.replace(&expression, value);
    }
    let daemon = Daemon::start("").await;
    let answer = post(&daemon, payload).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(told(&deployments(&daemon).await[0]), expected(Some(CHECKOUT)));
}

#[test]
fn each_page_is_tried_and_has_all_its_parts() {
    let tried: BTreeSet<String> =
        WITH_SCRIPTS.into_iter().map(|(name, _)| name).chain(OTHERS).map(str::to_owned).collect();
    assert_eq!(Page::names(), tried);
    let index = Page::read("README.md");
    for name in tried.iter().filter(|name| *name != "README.md") {
        assert!(index.text().contains(&format!("]({name})")), "README.md has no link to {name}");
        let page = Page::read(name);
        for part in
            ["**What it tells**", "**What it cannot tell**", "**When the daemon is down**", "**Tried**"]
        {
            assert!(page.text().contains(part), "{name} has no {part}");
        }
    }
}

#[test]
fn each_block_of_data_can_be_read() {
    for name in Page::names() {
        for (language, text) in Page::read(&name).blocks() {
            let is_read = match language.as_str() {
                "json" => serde_json::from_str::<Value>(&text).is_ok(),
                "yaml" => serde_saphyr::from_str::<Value>(&text).is_ok(),
                "toml" => Config::parse(&text).is_ok(),
                "sh" | "bash" | "groovy" | "powershell" => true,
                _ => false,
            };
            assert!(is_read, "{name}, {language}: {text}");
        }
    }
}
