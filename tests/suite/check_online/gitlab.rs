//! `check` asks GitLab's API about the token.

use serde_json::{Value, json};

use super::run;
use crate::fake_github::Fault;
use crate::fake_gitlab::{FakeGitLab, TOKEN};

fn section(gitlab: &FakeGitLab) -> String {
    format!("[gitlab]\nurl = \"{}\"\ntoken = {{ env = \"GITLAB_TOKEN\" }}\n", gitlab.url())
}

/// The section, and a table that names a project.
fn named(gitlab: &FakeGitLab, project: &str) -> String {
    let table = format!("[[deployment]]\nname = \"a\"\nrepository = [\"{project}\"]\n");
    section(gitlab) + &table
}

const VARIABLES: &[(&str, &str)] = &[("GITLAB_TOKEN", TOKEN)];

/// Exit status, and the line about the token.
fn about_token(configuration: &str) -> (i32, String) {
    let (status, printed) = run(configuration, &[], VARIABLES);
    let line = printed.lines().find(|line| line.contains("GitLab token"));
    (status, line.unwrap_or_else(|| panic!("{printed}")).to_owned())
}

/// A token as GitLab describes it.
fn token(scopes: &[&str], expires_at: Option<&str>) -> Value {
    json!({ "id": 4, "name": "dora", "active": true, "scopes": scopes, "expires_at": expires_at })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_tried_with_a_project_that_the_configuration_names() {
    let gitlab = FakeGitLab::start().await;
    gitlab.world().projects.push("acme/web/shop".to_owned());
    let may = "ok     GitLab token: it may read the deployments of acme/web/shop";
    assert_eq!(about_token(&named(&gitlab, "acme/web/shop")), (0, may.to_owned()));
    gitlab.world().token = Some(token(&["read_api"], Some("2199-12-31")));
    let expires = format!("{may}. It expires on 2199-12-31");
    assert_eq!(about_token(&named(&gitlab, "acme/web/shop")), (0, expires));
    gitlab.world().token = Some(token(&["read_api"], Some("2026-01-31")));
    let (status, line) = about_token(&named(&gitlab, "acme/web/shop"));
    assert!(
        status == 0 && line.starts_with("warn ") && line.contains("It expires on 2026-01-31: put"),
        "{line}"
    );
    let (status, line) = about_token(&named(&gitlab, "acme/other"));
    assert!(status == 1 && line.contains("the token in gitlab.token may not read its deployments"), "{line}");
    let requests = gitlab.world().requests.len();
    let (_, printed) = run(&section(&gitlab), &["--offline"], VARIABLES);
    assert!(!printed.contains("GitLab token") && gitlab.world().requests.len() == requests, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_project_is_judged_by_its_scopes() {
    let gitlab = FakeGitLab::start().await;
    for described in [None, Some(token(&["read_user", "read_api"], None))] {
        gitlab.world().token = described;
        let (status, line) = about_token(&section(&gitlab));
        assert!(status == 0 && line.contains("GitLab accepts it. Not tested: the role Reporter"), "{line}");
    }
    gitlab.world().token = Some(token(&["read_user"], None));
    let (status, line) = about_token(&section(&gitlab));
    assert!(status == 0 && line.starts_with("warn ") && line.contains("needs the scope read_api"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_fails_with_what_to_do() {
    let gitlab = FakeGitLab::start().await;
    gitlab.world().faults.all = Some(Fault::status(401));
    let (status, line) = about_token(&named(&gitlab, "acme/shop"));
    assert!(status == 1 && line.contains("put a valid token where gitlab.token says"), "{line}");
}
