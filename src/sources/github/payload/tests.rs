use serde_json::{Value, json};

use super::*;

const SUCCESS: &str = include_str!("../../../../fixtures/github/deployment_status.success.json");

/// Every fixture, with its name.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/github")).unwrap();
    let paths = folder.map(|file| file.unwrap().path());
    let mut all: Vec<_> = paths
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

/// The successful status with other values at these places.
fn changed(changes: &[(&str, Value)]) -> String {
    let mut body: Value = serde_json::from_str(SUCCESS).unwrap();
    for (pointer, value) in changes {
        *body.pointer_mut(pointer).unwrap() = value.clone();
    }
    body.to_string()
}

fn without(pointer: &str) -> String {
    let mut body: Value = serde_json::from_str(SUCCESS).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
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
        let about = about.map(|about| format!("{:?} of {}", about.state, about.deployment));
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
        assert_eq!(heading.is_test, name == "ping", "{name}");
        assert_eq!(stored(&body), Some(event), "{name}");
    }
}

#[test]
fn the_facts_of_a_deployment_are_read() {
    let event = parse(SUCCESS.as_bytes()).unwrap();
    assert_eq!(event.id, "github.com:deployment_status:9100002");
    assert_eq!(event.occurred_at.to_string(), "2026-11-02T10:03:30Z");
    insta::assert_snapshot!(serde_json::to_string_pretty(&facts(SUCCESS)).unwrap());
}

#[test]
fn a_deployment_that_was_made_through_the_api_has_fewer_facts() {
    let body = include_str!("../../../../fixtures/github/deployment_status.api.json");
    insta::assert_snapshot!(serde_json::to_string_pretty(&facts(body)).unwrap());
}

#[test]
fn a_form_is_the_same_event() {
    let encoded =
        percent_encoding::utf8_percent_encode(SUCCESS, percent_encoding::NON_ALPHANUMERIC).to_string();
    for form in [format!("payload={encoded}"), format!("payload={}", encoded.replace("%20", "+"))] {
        assert_eq!(parse(form.as_bytes()).unwrap(), parse(SUCCESS.as_bytes()).unwrap());
    }
    let broken = parse(b"payload=%7B").unwrap_err().to_string();
    assert!(broken.starts_with("the body is not JSON"), "{broken}");
}

#[test]
fn the_status_decides_the_environment() {
    let moved = changed(&[("/deployment_status/environment", json!("canary"))]);
    assert_eq!(facts(&moved).environment.as_deref(), Some("canary"));
    let unknown = changed(&[("/deployment_status/environment", json!(" "))]);
    assert_eq!(facts(&unknown).environment.as_deref(), Some("production"));
}

#[test]
fn values_of_other_shapes_are_unknown() {
    for (pointer, known) in [
        ("/deployment/ref", facts(SUCCESS).reference.is_some()),
        ("/deployment/task", facts(SUCCESS).task.is_some()),
        ("/deployment/creator", facts(SUCCESS).creator.is_some()),
        ("/deployment/payload", facts(SUCCESS).payload.is_some()),
        ("/check_run", facts(SUCCESS).job.is_some()),
        ("/workflow", facts(SUCCESS).workflow.is_some()),
        ("/repository/full_name", facts(SUCCESS).repository.is_some()),
        ("/sender", true),
    ] {
        assert!(known, "{pointer}");
        for value in [json!(null), json!([]), json!(7), json!({ "login": ["x"] })] {
            assert!(parse(changed(&[(pointer, value)]).as_bytes()).is_ok(), "{pointer}");
        }
    }
    let path = changed(&[("/workflow/path", json!(".github/workflows/release.yml@refs/heads/main"))]);
    assert_eq!(facts(&path).workflow.as_deref(), Some(".github/workflows/release.yml"));
    for sha in ["6dcb09b5", "", "not a commit"] {
        assert_eq!(facts(&changed(&[("/deployment/sha", json!(sha))])).commit_sha, None, "{sha}");
    }
    let url = changed(&[("/repository/html_url", json!("https://ada:canary@github.com/acme/checkout"))]);
    assert_eq!(facts(&url).repository_url.as_deref(), Some("https://github.com/acme/checkout"));
}

#[test]
fn a_state_that_is_not_known_yet_is_kept() {
    let event = parse(changed(&[("/deployment_status/state", json!("paused"))]).as_bytes()).unwrap();
    assert_eq!((event.subject, event.id.as_str()), (None, "github.com:deployment_status:9100002"));
}

#[test]
fn an_enterprise_host_is_part_of_the_ids() {
    let body = changed(&[("/repository/html_url", json!("https://GHE.example.com:8443/acme/checkout"))]);
    let event = parse(body.as_bytes()).unwrap();
    assert_eq!(event.id, "ghe.example.com:8443:deployment_status:9100002");
    let about = event.about_deployment().unwrap();
    assert_eq!(about.deployment.as_str(), "github:ghe.example.com:8443:deployment:4200001");
}

#[test]
fn odd_characters_are_read() {
    let half = changed(&[]).replace("\"main\"", r#""main \ud83d""#);
    assert_eq!(facts(&half).reference.as_deref(), Some("main \u{fffd}"));
    let with_mark = format!("\u{feff}{SUCCESS}");
    assert_eq!(facts(&with_mark), facts(SUCCESS));
}

#[test]
fn a_hostile_body_is_not_understood() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        "7".to_owned(),
        "null".to_owned(),
        "{}".to_owned(),
        deep,
        r#"{"deployment_status":null}"#.to_owned(),
        r#"{"deployment_status":{}}"#.to_owned(),
        SUCCESS.replacen('{', r#"{"deployment":{},"#, 1),
        without("/deployment"),
        without("/repository"),
        without("/deployment_status/id"),
        without("/deployment_status/state"),
        without("/deployment_status/created_at"),
        without("/deployment/id"),
        without("/repository/html_url"),
        changed(&[("/deployment_status/id", json!("9100002"))]),
        changed(&[("/deployment_status/id", json!(-1))]),
        changed(&[("/deployment/id", json!(1.5))]),
        changed(&[("/deployment_status/created_at", json!("2026-11-02 10:03:30"))]),
        changed(&[("/deployment_status/created_at", json!("9999-12-31T23:59:59Z"))]),
        changed(&[("/deployment/created_at", json!("soon"))]),
        changed(&[("/repository/html_url", json!("acme/checkout"))]),
        changed(&[("/repository/html_url", json!(format!("https://{}/a/b", "x".repeat(90))))]),
    ];
    let reasons: Vec<String> =
        bodies.iter().map(|body| heading_or_reason(body.as_bytes()).unwrap_err()).collect();
    insta::assert_snapshot!(reasons.join("\n"));
    assert!(heading_or_reason(b"\xff").unwrap_err().starts_with("the body is not JSON"));
}
