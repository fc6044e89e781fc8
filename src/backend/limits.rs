//! Tests with hostile texts: no kind of backend gets more than it can hold.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Backend, Outgoing};
use crate::config::Config;
use crate::domain::deployment::Deployment;
use crate::domain::deployment::tests::deployment;
use crate::domain::failure::tests::completed;
use crate::domain::failure::{Evaluated, Failure, FailureState};
use crate::domain::forwarding::{Destination, RevisionContext};
use crate::domain::id::FailureId;

const FIRST_REVISION: RevisionContext = RevisionContext { revision: 1, is_correction: false };

fn backend(kind: &str) -> Backend {
    let key = match kind {
        "http" | "cdevents" => "",
        _ => "api_key = { value = \"0123456789abcdef\" }",
    };
    let entry =
        format!("[[backend]]\nname = \"b\"\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:1\"\n{key}\n");
    Backend::from_config(&Config::parse(&entry).unwrap().backend[0], &Outgoing::default()).unwrap()
}

/// Texts of all lengths, with wide, combining and control characters, and with those that databases refuse.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("x".to_owned()),
        Just("決済".to_owned()),
        Just("👩‍🚒".to_owned()),
        Just("e\u{301}\u{302}".to_owned()),
        Just("\0".to_owned()),
        Just("\u{1b}[31m\r\n\u{85}".to_owned()),
        Just("\u{fffd}\u{202e}\u{2066}\u{200b}".to_owned()),
        Just(", ".to_owned()),
        Just("\"\\".to_owned()),
        ".{0,8}",
    ];
    (
        piece,
        prop_oneof![
            Just(0_usize),
            1..4_usize,
            60..70_usize,
            120..130_usize,
            250..260_usize,
            1_000..1_100_usize
        ],
    )
        .prop_map(|(piece, times)| piece.repeat(times))
}

prop_compose! {
    fn failure()(
        title in proptest::option::of(text()),
        mut url in proptest::option::of(text()),
        services in proptest::collection::vec(text(), 0..4),
        many in proptest::bool::weighted(0.1),
        texts in proptest::collection::vec(proptest::option::of(text()), 6),
        tags in proptest::collection::vec(text(), 0..120),
    ) -> Evaluated {
        let mut evaluated = completed();
        let [team, severity, priority, urgency, version, repository_url] =
            texts.try_into().unwrap();
        if let Some(url) = &mut url {
            url.insert_str(0, "https://acme.example/");
        }
        let failure = &mut evaluated.failure;
        failure.env = services.first().cloned().unwrap_or_else(|| "production".to_owned());
        failure.services =
            if many { services.iter().cycle().take(100 * services.len()).cloned().collect() } else { services };
        (failure.title, failure.url) = (title, url);
        (failure.team, failure.severity, failure.priority, failure.urgency) = (team, severity, priority, urgency);
        evaluated.details.commit_sha = version.clone();
        (evaluated.details.version, evaluated.details.repository_url) = (version, repository_url);
        evaluated.details.tags = tags.into_iter().map(|tag| format!("k:{tag}")).collect();
        evaluated
    }
}

prop_compose! {
    fn hostile_deployment()(
        [service, env] in [text(), text()],
        texts in proptest::collection::vec(proptest::option::of(text()), 4),
        tags in proptest::collection::btree_set(text(), 0..120),
    ) -> Deployment {
        let [team, version, commit_sha, repository_url] = texts.try_into().unwrap();
        let known = deployment("1", "x", "10:00", "10:10");
        Deployment { service, team, env, version, commit_sha, repository_url, tags, ..known }
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

/// All texts in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn has_controls(value: &Value) -> bool {
    texts(value).iter().any(|text| text.contains(char::is_control))
}

fn chars(value: &Value) -> usize {
    value.as_str().unwrap_or_default().chars().count()
}

/// `true` if the tags fit Datadog's limits.
fn fit(tags: &Value) -> bool {
    let tags = tags.as_array().map(Vec::as_slice).unwrap_or_default();
    tags.len() <= 100 && tags.iter().all(|tag| chars(tag) <= 200)
}

/// `true` if the attributes that Datadog shows as tags fit its limits.
fn tags_fit(attributes: &Value) -> bool {
    let fits = |key: &str, value: &Value| key.len() + 1 + chars(value) <= 200;
    let alone = ["team", "env", "severity", "version", "service"];
    let services = attributes["services"].as_array().map(Vec::as_slice).unwrap_or_default();
    alone.iter().all(|key| fits(key, &attributes[key]))
        && services.len() <= 100
        && services.iter().all(|service| fits("service", service))
        && fit(&attributes["custom_tags"])
}

/// Number of objects and lists in each other.
fn depth(value: &Value) -> usize {
    children(value)
        .map(|inner| 1 + inner.into_iter().map(depth).max().unwrap_or_default())
        .unwrap_or_default()
}

/// Greatest number of properties of an object in a value.
fn widest(value: &Value) -> usize {
    let own = value.as_object().map_or(0, serde_json::Map::len);
    children(value).into_iter().flatten().map(widest).fold(own, usize::max)
}

/// The values in an object or list.
fn children(value: &Value) -> Option<Vec<&Value>> {
    match value {
        Value::Array(values) => Some(values.iter().collect()),
        Value::Object(fields) => Some(fields.values().collect()),
        _ => None,
    }
}

fn commit_is_full(attributes: &Value) -> bool {
    let sha = &attributes["git"]["commit_sha"];
    sha.as_str().is_none_or(|sha| sha.len() >= 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn datadog_gets_what_it_can_hold(failure in failure(), deployment in hostile_deployment()) {
        let backend = backend("datadog");
        let failure = json(&backend.prepare(&failure, FIRST_REVISION).body)["data"]["attributes"].take();
        prop_assert!(chars(&failure["name"]) <= 1_000);
        let deployment = backend.prepare_deployment(&deployment, FIRST_REVISION).unwrap();
        let deployment = json(&deployment.body)["data"]["attributes"].take();
        for attributes in [failure, deployment] {
            prop_assert!(tags_fit(&attributes) && commit_is_full(&attributes), "{attributes}");
            prop_assert!(!has_controls(&attributes), "{attributes}");
        }
    }

    #[test]
    fn datadog_metrics_get_what_they_can_hold(failure in failure(), deployment in hostile_deployment()) {
        let backend = backend("datadog-metrics");
        let deployment = backend.prepare_deployment(&deployment, FIRST_REVISION).unwrap();
        for prepared in [backend.prepare(&failure, FIRST_REVISION), deployment] {
            let sample = json(&prepared.body);
            prop_assert!(!has_controls(&sample));
            // A point has two more tags: `service` and `late`.
            let tags = sample["tags"].as_array().unwrap();
            prop_assert!(tags.len() + 2 <= 100 && fit(&sample["tags"]), "{sample}");
            let services = sample["services"].as_array().unwrap();
            prop_assert!(services.iter().all(|service| "service:".len() + chars(service) <= 200), "{sample}");
        }
    }

    #[test]
    fn datadog_events_hold_every_limit(
        mut failure in failure(),
        state in proptest::sample::select(FailureState::ALL),
        reason in proptest::option::of(text()),
        merged_into in proptest::option::of(text()),
        id in "[a-zA-Z0-9:._-]{16,128}",
        deployment in proptest::option::of("[a-zA-Z0-9:._-]{16,128}"),
    ) {
        failure.failure.id = FailureId::parse(&id).unwrap();
        (failure.failure.state, failure.failure.reason) = (state, reason);
        (failure.failure.merged_into, failure.failure.deployment) = (merged_into, deployment);
        let event = json(&backend("datadog-events").prepare(&failure, FIRST_REVISION).body);
        prop_assert!(!has_controls(&event), "{event}");
        let attributes = &event["data"]["attributes"];
        for (key, least, most) in [("title", 1, 500), ("message", 1, 4_000), ("aggregation_key", 1, 100)] {
            prop_assert!((least..=most).contains(&chars(&attributes[key])), "{key}: {attributes}");
        }
        prop_assert!(fit(&attributes["tags"]), "{attributes}");
        let inner = &attributes["attributes"];
        for link in inner["links"].as_array().into_iter().flatten() {
            prop_assert!(chars(&link["url"]) <= 2_048 && chars(&link["title"]) <= 300, "{link}");
        }
        prop_assert!(inner["links"].as_array().map_or(0, Vec::len) <= 20);
        let status = inner["status"].as_str().unwrap();
        prop_assert_eq!(status, if state == FailureState::Open { "error" } else { "ok" });
        prop_assert!(inner["priority"].as_str().is_none_or(|priority| ["1", "2", "3", "4", "5"].contains(&priority)));
        prop_assert!(depth(&inner["custom"]) <= 10 && widest(&inner["custom"]) <= 100, "{inner}");
    }

    #[test]
    fn devlake_gets_what_its_columns_can_hold(failure in failure(), deployment in hostile_deployment()) {
        let backend = backend("devlake");
        let issue = json(&backend.prepare(&failure, FIRST_REVISION).body);
        prop_assert!(!has_controls(&issue));
        for column in ["issueKey", "title", "url", "priority", "severity", "component"] {
            prop_assert!(chars(&issue[column]) <= 255, "{column}: {issue}");
        }
        prop_assert!(chars(&issue["title"]) > 0);
        if let Some(prepared) = backend.prepare_deployment(&deployment, FIRST_REVISION) {
            let body = json(&prepared.body);
            prop_assert!(!has_controls(&body));
            let commit = &body["deploymentCommits"][0];
            let columns = [&body["id"], &body["name"], &body["displayTitle"], &commit["refName"]];
            prop_assert!(columns.iter().all(|column| chars(column) <= 255), "{body}");
            prop_assert!(chars(&commit["repoUrl"]) <= 191, "{body}");
            let row = format!("webhook:{}:0123456789abcdef:", u64::MAX);
            prop_assert!(row.len() + chars(&commit["commitSha"]) <= 255, "{body}");
        }
    }

    #[test]
    fn a_sink_of_cdevents_gets_events_of_64_kib_at_most(failure in failure()) {
        let body = backend("cdevents").prepare(&failure, FIRST_REVISION).body;
        for event in body.split(|byte| *byte == b'\n') {
            prop_assert!(event.len() <= 64 * 1024, "{} bytes", event.len());
            let event = json(event);
            prop_assert!(!has_controls(&event), "{event}");
        }
    }

    /// A receiver of signed JSON gets all texts as they are.
    #[test]
    fn http_gets_everything(mut failure in failure()) {
        failure.failure.state = FailureState::Completed;
        let body = json(&backend("http").prepare(&failure, FIRST_REVISION).body);
        let Failure { title, url, services, team, env, severity, priority, urgency, .. } = &failure.failure;
        let sent = json!({
            "title": title, "url": url, "services": services, "team": team, "env": env, "severity": severity,
            "priority": priority, "urgency": urgency,
        });
        for (field, text) in sent.as_object().unwrap() {
            prop_assert_eq!(&body[field], text, "{}", field);
        }
    }
}
