use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::domain::deployment::tests::{deployment, time};
use crate::domain::failure::{Details, Evaluated, Failure};
use crate::domain::figures::tests::arbitrary::{deployments, one_failure};

pub(crate) mod model;

fn linked(deployments: Vec<Deployment>, services: &[&str], at: &str, named: Option<&str>) -> String {
    let services: Vec<String> = services.iter().map(|service| (*service).to_owned()).collect();
    let query = LinkQuery {
        created_at: time(at),
        started_at: time(at),
        is_restored: true,
        pauses: &[],
        services: &services,
        team: Some("payments"),
        env: "production",
        ended_at: Some(time("12:30")),
        named: named.into_iter().collect(),
    };
    let deployments = Deployments::new(deployments);
    match deployments.cause(&query, Duration::from_hours(1)) {
        Cause::Automatic(deployment) => deployment.version.clone().unwrap(),
        Cause::Named(deployment, by) => {
            format!("named {} by {by:?}", deployment.version.clone().unwrap())
        }
        other => format!("{other:?}"),
    }
}

fn two() -> Vec<Deployment> {
    vec![deployment("1", "checkout", "10:00", "10:10"), deployment("2", "checkout", "11:00", "11:30")]
}

#[test]
fn the_latest_deployment_in_the_window_is_the_cause() {
    let at = |at: &str| linked(two(), &["checkout"], at, None);
    assert_eq!(at("09:59"), "NoneInWindow");
    assert_eq!(at("10:00"), "v1", "a deployment that is still running counts");
    assert_eq!(at("10:59"), "v1");
    assert_eq!(at("11:00"), "v2");
    assert_eq!(at("12:30"), "v2", "it ended just an hour ago");
    assert_eq!(at("12:31"), "NoneInWindow");
}

#[test]
fn only_the_failures_services_env_and_team_count() {
    assert_eq!(linked(two(), &["search"], "11:10", None), "NoneInWindow");
    assert_eq!(linked(two(), &["search", "checkout"], "11:10", None), "v2");
    assert_eq!(linked(two(), &[], "11:10", None), "v2", "without a service, the team decides");
    let mut staging = two();
    staging[1].env = "staging".to_owned();
    assert_eq!(linked(staging, &["checkout"], "11:05", None), "v1");
}

#[test]
fn the_greater_id_wins_a_tie() {
    let tie =
        vec![deployment("2", "checkout", "10:00", "10:10"), deployment("1", "checkout", "10:00", "10:20")];
    assert_eq!(linked(tie, &["checkout"], "10:05", None), "v2");
}

#[test]
fn a_named_deployment_wins() {
    let named = |named: &str| linked(two(), &["checkout"], "11:10", Some(named));
    assert_eq!(named("deployment:00001"), "named v1 by Id");
    assert_eq!(named("Deployment:00001."), "named v1 by Id");
    assert_eq!(named(&format!("{:A>40}", "1")), "named v1 by CommitSha");
    for version in ["v1", "V1", "1", "\"v1\"", "`1`.", "v1 (rolled back)"] {
        assert_eq!(named(version), "named v1 by Version", "{version}");
    }
    assert_eq!(named("None"), "Forbidden");
    assert_eq!(named("`none`."), "Forbidden");
}

#[test]
fn a_name_that_cannot_be_used_leaves_the_automatic_link() {
    let mut known = two();
    known.push(Deployment { env: "staging".to_owned(), ..deployment("3", "checkout", "09:00", "09:10") });
    known.push(deployment("4", "checkout", "12:31", "12:40"));
    known.push(deployment("5", "search", "09:00", "09:10"));
    let deployments = Deployments::new(known.clone());
    let staging = NotUsed::OtherEnv("staging".to_owned());
    for (name, because) in [
        ("v9", NotUsed::Unknown),
        ("v5", NotUsed::Unknown),
        ("v3", staging.clone()),
        ("deployment:00003", staging),
        ("v4", NotUsed::StartedLater),
    ] {
        assert_eq!(linked(known.clone(), &["checkout"], "11:10", Some(name)), "v2", "{name}");
        let services = ["checkout".to_owned()];
        let query = LinkQuery {
            started_at: time("10:00"),
            is_restored: true,
            pauses: &[],
            created_at: time("11:10"),
            services: &services,
            team: None,
            env: "production",
            ended_at: Some(time("12:30")),
            named: vec![name, "v1", "v8"],
        };
        assert_eq!(deployments.not_used(&query), [(name, because)], "the next one is used");
        let Cause::Named(deployment, MatchedBy::Version) = deployments.cause(&query, Duration::ZERO) else {
            panic!("{name}")
        };
        assert_eq!(deployment.version.as_deref(), Some("v1"));
    }
}

#[test]
fn the_beginning_of_a_commit_has_to_be_unique() {
    let with_commit = |id: &str, service: &str, commit_sha: &str| Deployment {
        commit_sha: Some(format!("{commit_sha:0<40}")),
        ..deployment(id, service, "10:00", "10:10")
    };
    let first = with_commit("1", "checkout", "abcdef12");
    let named = |others: &[Deployment], name: &str| {
        let all = [std::slice::from_ref(&first), others].concat();
        linked(all, &["checkout"], "10:30", Some(name))
    };
    assert_eq!(named(&[], "ABCDEF1"), "named v1 by CommitSha");
    assert_eq!(named(&[], "abcdef"), "v1", "six digits are too few");
    let again = with_commit("2", "checkout", "abcdef12");
    assert_eq!(named(&[again], "abcdef1"), "named v2 by CommitSha", "the same commit");
    let other = with_commit("2", "checkout", "abcdef13");
    assert_eq!(named(std::slice::from_ref(&other), "abcdef1"), "v2");
    assert_eq!(named(std::slice::from_ref(&other), "abcdef12"), "named v1 by CommitSha");
    let of_search = with_commit("2", "search", "abcdef13");
    assert_eq!(
        named(&[of_search], "abcdef1"),
        "named v1 by CommitSha",
        "the failure's own service comes first"
    );
}

#[test]
fn an_exact_match_comes_first() {
    let version = |id: &str, version: &str| Deployment {
        version: Some(version.to_owned()),
        ..deployment(id, "checkout", "10:00", "10:10")
    };
    let known = [version("1", "1.0 (5)"), version("2", "1.0"), version("3", "V1.0"), version("4", "v1.0")];
    let named = |name: &str| linked(known.to_vec(), &["checkout"], "10:30", Some(name));
    for name in ["1.0 (5)", "1.0", "V1.0", "v1.0"] {
        assert_eq!(named(name), format!("named {name} by Version"));
    }
}

#[test]
fn the_last_deployment_while_a_failure_was_open_fixed_it() {
    let deployments = Deployments::new(vec![
        deployment("1", "checkout", "10:10", "10:15"),
        deployment("2", "checkout", "10:20", "10:25"),
        deployment("3", "checkout", "10:30", "11:30"),
        deployment("4", "search", "10:40", "10:45"),
        deployment("5", "checkout", "11:00", "11:05"),
    ]);
    let fixed_by = |started: &str, ended: Option<&str>, services: &[&str], pauses: &[Pause]| {
        let services: Vec<String> = services.iter().map(|service| (*service).to_owned()).collect();
        let query = LinkQuery {
            created_at: time(started),
            started_at: time(started),
            ended_at: ended.map(time),
            is_restored: ended.is_some(),
            pauses,
            services: &services,
            team: Some("payments"),
            env: "production",
            named: Vec::new(),
        };
        let links = deployments.links(&query, Duration::from_hours(1));
        links.remediation.map(|deployment| deployment.version.clone().unwrap())
    };
    let checkout = ["checkout"];
    assert_eq!(fixed_by("10:05", Some("11:00"), &checkout, &[]).as_deref(), Some("v3"));
    assert_eq!(fixed_by("10:19", Some("10:30"), &checkout, &[]).as_deref(), Some("v2"));
    assert_eq!(fixed_by("10:20", Some("10:30"), &checkout, &[]), None, "its cause does not fix it");
    assert_eq!(fixed_by("10:05", None, &checkout, &[]), None, "a later deployment may still fix it");
    assert_eq!(fixed_by("10:05", Some("11:00"), &["checkout", "search"], &[]).as_deref(), Some("v4"));
    assert_eq!(
        fixed_by("10:05", Some("11:00"), &[], &[]).as_deref(),
        Some("v4"),
        "without a service, the team decides"
    );
    let pause = Pause { resolved_at: time("10:30"), reopened_at: time("10:40") };
    assert_eq!(fixed_by("10:05", Some("11:00"), &checkout, &[pause]).as_deref(), Some("v2"));
    assert_eq!(fixed_by("10:05", Some("11:00"), &["search"], &[pause]).as_deref(), Some("v4"));
}

/// Gives every third deployment the same version and commit.
fn versioned(deployments: Vec<Deployment>) -> Vec<Deployment> {
    let numbered = deployments.into_iter().enumerate();
    let with_version = numbered.map(|(n, deployment)| Deployment {
        version: Some(format!("v{}", n % 3)),
        commit_sha: Some(format!("abcdef1{:0<33}", n % 3)),
        ..deployment
    });
    with_version.collect()
}

const NAMES: [&str; 10] = [
    "deployment:00003",
    "Deployment:00004.",
    "v1",
    "1",
    "ABCDEF1",
    "abcdef12",
    "abcdef12 (a comment)",
    "abcdef",
    "v9",
    "None",
];

proptest! {
    #[test]
    fn links_follow_their_definitions(
        failure in one_failure(),
        deployments in deployments(),
        (created_before, pause_after) in (proptest::option::of(0..3_000_u64), proptest::option::of((0..600_u64, 1..600_u64))),
        names in vec(proptest::sample::select(&NAMES[..]), 0..3),
        window in 0..4_000_u64,
    ) {
        let deployments = versioned(deployments);
        let after = |minutes| failure.started_at.saturating_add(Duration::from_mins(minutes));
        let pauses = pause_after.map(|(from, length)| Pause {
            resolved_at: after(from),
            reopened_at: after(from + length),
        });
        let details = Details {
            created_at: created_before.map(|minutes| failure.started_at.saturating_sub(Duration::from_mins(minutes))),
            named_deployments: names.into_iter().map(str::to_owned).collect(),
            pauses: pauses.into_iter().collect(),
            ..Details::default()
        };
        let evaluated = Evaluated { failure: Failure { deployment: None, ..failure }, details };
        let window = Duration::from_mins(window);
        let known = Deployments::new(deployments.clone());
        let links = known.links(&evaluated.details.link_query(&evaluated.failure), window);
        let id = |deployment: Option<&Deployment>| deployment.map(|deployment| deployment.id.to_string());
        let cause = model::cause(&evaluated, &deployments, window);
        prop_assert_eq!(id(links.cause.deployment()), id(cause));
        let cause = cause.map(|deployment| deployment.id.as_str());
        prop_assert_eq!(id(links.remediation), id(model::remediation(&evaluated, cause, &deployments)));
    }
}
