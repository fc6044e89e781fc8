use serde_json::{Value, json};

use super::*;

const SUCCESS: &str = include_str!("../../../../fixtures/gitlab/deployment.success.json");

/// Every fixture, with its name.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/gitlab")).unwrap();
    let paths = folder.map(|file| file.unwrap().path());
    let mut all: Vec<_> = paths
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

/// The successful deployment with other values for these keys. A null removes the key.
fn changed(changes: &[(&str, Value)]) -> String {
    let mut body: Value = serde_json::from_str(SUCCESS).unwrap();
    for (key, value) in changes {
        body[*key] = value.clone();
    }
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body.to_string()
}

fn facts(body: &str) -> DeploymentFacts {
    parse(body.as_bytes()).unwrap().about_deployment().unwrap().facts.clone()
}

#[test]
fn every_fixture_is_understood() {
    let summary = |(name, body): (String, Vec<u8>)| {
        let event = parse(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        let about = event.about_deployment();
        let about =
            about.map(|about| format!("{:?} of {} at {}", about.state, about.deployment, event.occurred_at));
        format!("{name}: {} {}", event.event_type, about.unwrap_or_else(|| "is only kept".to_owned()))
    };
    let summaries: Vec<String> = fixtures().into_iter().map(summary).collect();
    insta::assert_snapshot!(summaries.join("\n"));
}

#[test]
fn a_heading_has_the_same_facts_as_the_event() {
    for (name, body) in fixtures() {
        let (heading, event) = (heading(&body).unwrap(), parse(&body).unwrap());
        assert_eq!((&heading.id, &*heading.event_type), (&event.id, &*event.event_type), "{name}");
        assert_eq!(heading.subject, event.subject.as_ref().map(EventSubject::id), "{name}");
        assert_eq!(heading.occurred_at.is_some(), heading.subject.is_some(), "{name}");
        assert_eq!(stored(&body), Some(event), "{name}");
    }
}

#[test]
fn the_facts_of_a_deployment_are_read() {
    let event = parse(SUCCESS.as_bytes()).unwrap();
    assert_eq!(event.id, "gitlab.example.com:deployment:15:success:2026-11-02T10:03:30Z");
    insta::assert_snapshot!(serde_json::to_string_pretty(&facts(SUCCESS)).unwrap());
}

#[test]
fn the_same_event_in_another_zone_has_the_same_id() {
    let id = |at: &str| parse(changed(&[("status_changed_at", json!(at))]).as_bytes()).unwrap().id;
    assert_eq!(id("2026-11-02 10:03:30 UTC"), id("2026-11-02 11:03:30 +0100"));
    assert_ne!(id("2026-11-02 10:03:31 UTC"), id("2026-11-02 10:03:30 UTC"));
}

#[test]
fn the_instance_is_part_of_the_id() {
    for (web_url, path, expected) in [
        ("https://gitlab.com/acme/checkout", "acme/checkout", "gitlab:gitlab.com:deployment:15"),
        ("https://GitLab.com:8443/a/b/c", "a/b/c", "gitlab:gitlab.com:8443:deployment:15"),
        ("https://example.com/git/lab/a/b", "a/b", "gitlab:example.com:git:lab:deployment:15"),
        ("https://example.com/renamed/b", "a/b", "gitlab:example.com:deployment:15"),
    ] {
        let project = json!({ "web_url": web_url, "path_with_namespace": path });
        let event = parse(changed(&[("project", project)]).as_bytes()).unwrap();
        assert_eq!(event.about_deployment().unwrap().deployment.as_str(), expected);
    }
}

#[test]
fn the_commit_is_the_end_of_its_address() {
    let sha = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
    let commit = |address: &str| facts(&changed(&[("commit_url", json!(address))])).commit_sha;
    for address in
        [format!("https://gitlab.example.com/a/b/-/commit/{sha}"), format!("https://x/a/b/commit/{sha}")]
    {
        assert_eq!(commit(&address).as_deref(), Some(sha), "{address}");
    }
    for address in ["", "https://x/a/b/-/commit/6dcb09b5", &format!("https://x/a/b/-/tree/{sha}"), sha] {
        assert_eq!(commit(address), None, "{address}");
    }
}

#[test]
fn the_tier_says_if_it_is_production() {
    let of = |tier: Value| facts(&changed(&[("environment_tier", tier)])).is_production;
    assert_eq!(
        [of(json!("production")), of(json!("staging")), of(Value::Null)],
        [Some(true), Some(false), None]
    );
}

#[test]
fn a_status_that_is_not_known_yet_is_kept() {
    let event = parse(changed(&[("status", json!("paused"))]).as_bytes()).unwrap();
    assert_eq!((event.subject, event.event_type.as_str()), (None, "deployment.paused"));
}

#[test]
fn a_hostile_body_is_not_understood() {
    let project =
        |web_url: &str| changed(&[("project", json!({ "web_url": web_url, "path_with_namespace": "a/b" }))]);
    let bodies = [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"object_kind":7}"#.to_owned(),
        r#"{"object_kind":" "}"#.to_owned(),
        r#"{"object_kind":"deployment"}"#.to_owned(),
        changed(&[("status", json!(null))]),
        changed(&[("status", json!(["success"]))]),
        changed(&[("deployment_id", json!("15"))]),
        changed(&[("deployment_id", json!(-15))]),
        changed(&[("status_changed_at", json!(null))]),
        changed(&[("status_changed_at", json!("2026-11-02 11:03:30"))]),
        changed(&[("status_changed_at", json!("0001-01-01 00:00:00 UTC"))]),
        project(""),
        project("gitlab.example.com/a/b"),
        project(&format!("https://{}.example.com/a/b", "x".repeat(80))),
        project("https://example.com/git lab/a/b"),
    ];
    let reasons: Vec<String> =
        bodies.iter().map(|body| heading_or_reason(body.as_bytes()).unwrap_err()).collect();
    insta::assert_snapshot!(reasons.join("\n"));
}
