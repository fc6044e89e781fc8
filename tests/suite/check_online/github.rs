//! `check` asks GitHub's API about the token.

use super::run;
use crate::fake_github::{FakeGitHub, Fault, TOKEN};

fn section(github: &FakeGitHub) -> String {
    format!("[github]\nurl = \"http://{}/api/v3\"\ntoken = {{ env = \"GITHUB_TOKEN\" }}\n", github.address)
}

/// The line about the token.
fn about_token(printed: &str) -> &str {
    printed.lines().find(|line| line.contains("GitHub token")).unwrap_or_else(|| panic!("{printed}"))
}

const VARIABLES: &[(&str, &str)] = &[("GITHUB_TOKEN", TOKEN)];

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_tried_with_a_repository_that_the_configuration_names() {
    let github = FakeGitHub::start().await;
    github.world().repositories.push("acme/shop".to_owned());
    let named = |name: &str| {
        let table = format!("[[deployment]]\nname = \"a\"\nrepository = [\"{name}\"]\n");
        section(&github) + &table
    };
    let (status, printed) = run(&named("acme/shop"), &[], VARIABLES);
    assert_eq!(
        (status, about_token(&printed)),
        (0, "ok     GitHub token: it may read the deployments of acme/shop")
    );
    let (status, printed) = run(&named("acme/other"), &[], VARIABLES);
    assert_eq!(status, 1, "{printed}");
    assert!(
        about_token(&printed).contains("the token in github.token may not read its deployments"),
        "{printed}"
    );
    let (status, printed) = run(&section(&github), &[], VARIABLES);
    assert!(status == 0 && about_token(&printed).contains("GitHub accepts it. Not tested: "), "{printed}");
    let requests = github.world().requests.clone();
    assert_eq!(requests.len(), 3, "{requests:?}");
    let (_, printed) = run(&section(&github), &["--offline"], VARIABLES);
    assert!(!printed.contains("GitHub token") && github.world().requests.len() == 3, "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_fails_with_what_to_do() {
    let github = FakeGitHub::start().await;
    github.world().faults.all = Some(Fault::status(401));
    let (status, printed) = run(&section(&github), &[], VARIABLES);
    assert_eq!(status, 1, "{printed}");
    assert!(about_token(&printed).contains("put a valid token where github.token says"), "{printed}");
}
