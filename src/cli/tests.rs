//! Listings on narrow terminals, and the examples in the help.

use clap::{CommandFactory, Parser};
use serde_json::{Value, json};

use crate::domain::deployment::Deployment;
use crate::domain::deployment::tests::deployment;
use crate::domain::deployment_view::DeploymentView;
use crate::domain::explain::Why;
use crate::domain::id::DeploymentId;
use crate::domain::source_name::SourceName;
use crate::http::{FailureJson, StoryJson};
use crate::store::{DeploymentStory, ListedFailure, OutboxRow, Story};

const WIDTHS: [usize; 2] = [80, 100];
/// Text that is wider than the terminals of these tests.
const LONG: &str = "checkout: error rate above 5 % for ten minutes in eu-central-1, and the card payments of all other regions \
                    are declined by the acquirer, too";
const OWN_ID: &str = "01234567-89ab-cdef-0123-456789abcdef:eu-central-1";

fn failure() -> Value {
    json!({
        "id": "pagerduty:Q3YON8WNWTZMRQ", "source": "pagerduty", "incident": "Q3YON8WNWTZMRQ", "number": 42,
        "title": LONG, "url": "https://acme.pagerduty.com/incidents/Q3YON8WNWTZMRQ", "state": "ignored",
        "reason": "low urgency is noise", "started_at": "2026-11-01T10:00:00.123456789Z",
        "finished_at": "2026-11-11T10:42:10.500Z", "time_to_restore_seconds": 866_530.5,
        "active_seconds": 866_530.5, "acknowledged_at": null, "reopened": 0, "merged": [], "merged_into": null,
        "services": ["checkout-and-payments", "card-acquiring"], "team": "payments-and-refunds",
        "env": "production-eu-central-1", "severity": "SEV-1 (customers notice)", "priority": "P1",
        "urgency": "high", "attribution": "service entry", "flags": ["approximate"], "deployment": null,
        "revision": 1, "forwarded": []
    })
}

/// Copy of `base` with other values for some fields.
fn with(base: &Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("no object") };
    let mut other = base.clone();
    other.as_object_mut().unwrap().extend(changes);
    other
}

fn failures() -> Vec<ListedFailure> {
    let short = json!({"title": "search: slow", "services": ["search"], "team": "search", "env": "production",
        "severity": "SEV-3", "state": "completed", "reason": null, "flags": [], "time_to_restore_seconds": 2530.5});
    let submitted = json!({"id": OWN_ID, "source": "api", "incident": null, "title": null, "team": null, "severity": null,
        "services": [], "state": "open", "reason": null, "flags": [], "time_to_restore_seconds": null});
    let all = [failure(), with(&failure(), short), with(&failure(), submitted)];
    all.into_iter().map(|one| serde_json::from_value::<FailureJson<'_>>(one).unwrap().into()).collect()
}

fn deployments() -> Vec<DeploymentView> {
    let plain = DeploymentView {
        deployment: deployment("1", "search", "10:00", "10:05"),
        source: SourceName::API,
        failures: Vec::new(),
        remediation: None,
        remediates: Vec::new(),
        is_rollback: false,
        is_pending: true,
        ignored_because: None,
        has_ended: true,
    };
    let long = DeploymentView {
        deployment: Deployment {
            id: DeploymentId::parse(OWN_ID).unwrap(),
            service: "checkout-and-payments".to_owned(),
            env: "production-eu-central-1".to_owned(),
            version: Some("release-2026-11-01-0123456789abcdef".to_owned()),
            ..deployment("2", "", "11:00", "11:05")
        },
        failures: (1..=5).map(|n| format!("pagerduty:Q3YON8WNWTZMR{n}")).collect(),
        remediation: Some(deployment("3", "checkout-and-payments", "12:00", "12:05")),
        ..plain.clone()
    };
    let rollback = DeploymentView {
        deployment: Deployment { version: None, ..deployment("3", "checkout", "12:00", "12:05") },
        remediates: vec!["pagerduty:Q3YON8WNWTZMR1".to_owned(), OWN_ID.to_owned()],
        is_rollback: true,
        ..plain.clone()
    };
    vec![rollback, long, plain]
}

fn deployment_story() -> DeploymentStory {
    let why = |about: &str, value: &str, because: &str| Why {
        about: about.to_owned(),
        value: value.to_owned(),
        because: because.to_owned(),
    };
    let because =
        "the last deployment that fixed a failure of its first unbroken run of failures: a rollback";
    DeploymentStory {
        deployment: deployments().remove(1),
        events: Vec::new(),
        why: vec![
            why("failed", "yes", "5 failures that count are linked to it"),
            why("failure", "pagerduty:Q3YON8WNWTZMR1", "its version was named: 1.42.0"),
            why("remediation", "deployment:00003", because),
        ],
        attempts: story().attempts,
        received_at: None,
        forwarded: Vec::new(),
        before: None,
    }
}

fn outbox() -> Vec<OutboxRow> {
    let dead = json!({
        "id": 123_456, "backend": "datadog-production-eu", "failure": "pagerduty:Q3YON8WNWTZMRQ",
        "deployment": null, "revision": 3, "state": "dead", "attempts": 12, "refusals": 0, "suspect": false, "next_attempt_at": null,
        "last_status": 400, "last_error": format!("HTTP 400: {{\"errors\":[\"{LONG}\"]}}")
    });
    let pending = json!({"state": "pending", "next_attempt_at": "2026-11-02T09:14:05.123456789Z",
        "failure": null, "deployment": OWN_ID, "last_status": null, "last_error": null});
    [dead.clone(), with(&dead, pending)].into_iter().map(|row| serde_json::from_value(row).unwrap()).collect()
}

fn story() -> Story {
    let why =
        |about: &str, value: &str, because: &str| json!({"about": about, "value": value, "because": because});
    let event = |kind: &str| {
        json!({"id": "01KB0ST1102091405412000001", "type": kind, "occurred_at": "2026-11-02T09:14:05.412Z",
            "received_at": "2026-11-20T00:00:00Z", "duplicates": 1,
            "source": "pagerduty"})
    };
    let attempt = |status: Value, error: Value| {
        json!({"backend": "datadog-production-eu", "revision": 1, "at": "2026-11-20T00:00:00.123456789Z",
            "status": status, "error": error})
    };
    let change = |summary: &str, reason: Value| {
        json!({"id": "01F0CHANGE", "at": "2026-11-02T09:10:00.315Z", "summary": summary, "source": "deploy.example.com",
            "services": ["Checkout API", "Card acquiring"], "reason": reason})
    };
    serde_json::from_value::<StoryJson<'_>>(json!({
        "failure": failure(),
        "related_changes": [change("checkout 1.42.0 deployed", json!("most_recent")), change(LONG, Value::Null)],
        "why": [
            why("state", "completed", "no reopen follows the resolve of 2026-11-02T09:56:15.912Z"),
            why("started_at", "2026-11-01T10:00:00.123456789Z", "its creation time"),
            why("time_to_restore_seconds", "866530.5", "from start to end (failure.reopened is \"wall_clock\")"),
            why("services", "checkout-and-payments, card-acquiring", "service entry"),
            why("counts", "no", &format!("rule {LONG:?} is the first that matches")),
        ],
        "events": [
            event("incident.triggered"),
            event("incident.status_update_published"),
            event("incident.conference_bridge.updated"),
        ],
        "attempts": [
            attempt(json!(400), json!(format!("HTTP 400: {LONG}"))),
            attempt(Value::Null, json!("error sending request: operation timed out")),
        ],
    }))
    .unwrap()
    .into()
}

fn shown(table: impl Fn(usize) -> String) -> String {
    WIDTHS.map(table).join("\n----\n\n")
}

#[test]
fn failures_on_a_narrow_terminal() {
    insta::assert_snapshot!(shown(|width| super::failures::table(&failures(), width)));
}

#[test]
fn deployments_on_a_narrow_terminal() {
    insta::assert_snapshot!(shown(|width| super::deployments::table(&deployments(), width)));
}

#[test]
fn ignored_deployments_on_a_narrow_terminal() {
    let told = ["repository:acme/shop", "environment:checkout-staging", "job:deploy / staging", "ref:main"];
    let mut ignored = deployments();
    for (view, reason) in ignored.iter_mut().zip([
        "the environment checkout-staging is not production, and no [[deployment]] table matches",
        "it is the same deployment as deployment:00001",
        "the table \"previews\" ignores it",
    ]) {
        view.source = SourceName::new("github");
        view.ignored_because = Some(reason.to_owned());
        view.deployment.tags = told.iter().map(|told| (*told).to_owned()).collect();
    }
    insta::assert_snapshot!(shown(|width| super::deployments::ignored_table(&ignored, width)));
}

#[test]
fn the_story_of_a_deployment_on_a_narrow_terminal() {
    insta::assert_snapshot!(shown(|width| super::explained_deployment::text(&deployment_story(), width)));
}

#[test]
fn the_outbox_on_a_narrow_terminal() {
    insta::assert_snapshot!(shown(|width| super::outbox::table(&outbox(), width)));
}

#[test]
fn a_story_on_a_narrow_terminal() {
    insta::assert_snapshot!(shown(|width| super::explain::text(&story(), width)));
}

#[test]
fn the_id_of_a_deployment_stays_whole() {
    for digits in [36, 64] {
        let id = "0123456789abcdef".repeat(4)[..digits].to_owned();
        let mut story = story();
        let because = "the latest deployment".to_owned();
        story.why.push(Why { about: "deployment".to_owned(), value: id.clone(), because });
        story.deployment_names.insert(id.clone(), "checkout 1.42.0".to_owned());
        for width in [80, 100, 120, 200] {
            let text = super::explain::text(&story, width);
            assert!(text.contains(&id) && text.contains("checkout 1.42.0"), "{width}: {text}");
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
        }
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 80..=200 {
        let listings = [
            super::failures::table(&failures(), width),
            super::outbox::table(&outbox(), width),
            super::explain::text(&story(), width),
            super::deployments::table(&deployments(), width),
            super::explained_deployment::text(&deployment_story(), width),
        ];
        for line in listings.iter().flat_map(|listing| listing.lines()) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn the_help_of_every_command_has_an_example_that_can_be_typed() {
    fn look(command: &clap::Command, path: &str) {
        for inner in command.get_subcommands() {
            let path = format!("{path} {}", inner.get_name());
            let help = inner.get_after_help().map(ToString::to_string).unwrap_or_default();
            let help = help.replace("\\\n    ", "");
            let examples: Vec<&str> = help.lines().filter(|line| line.contains("pagerduty-dora ")).collect();
            assert!(help.starts_with("Example") && !examples.is_empty(), "{path} has no example");
            for example in examples {
                // A redirection or a remark may follow.
                let typed = example.trim_start().split("  ").next().unwrap().split('>').next().unwrap();
                let parsed = super::Cli::try_parse_from(typed.split_whitespace());
                assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
            }
            look(inner, &path);
        }
    }
    look(&super::Cli::command(), "pagerduty-dora");
}
