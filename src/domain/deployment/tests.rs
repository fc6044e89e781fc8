use super::*;

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-01T{text}:00Z")).unwrap()
}

/// A deployment of `service` to production, from `started` to `finished` on the first of November.
pub(crate) fn deployment(id: &str, service: &str, started: &str, finished: &str) -> Deployment {
    Deployment {
        id: DeploymentId::parse(&format!("deployment:{id:0>5}")).unwrap(),
        service: service.to_owned(),
        team: Some("payments".to_owned()),
        env: "production".to_owned(),
        started_at: time(started),
        finished_at: time(finished),
        version: Some(format!("v{id}")),
        commit_sha: Some(format!("{id:a>40}")),
        repository_url: None,
        tags: BTreeSet::new(),
    }
}

fn linked(deployments: Vec<Deployment>, services: &[&str], at: &str, named: Option<&str>) -> String {
    let services: Vec<String> = services.iter().map(|service| (*service).to_owned()).collect();
    let suspect = Suspect {
        created_at: time(at),
        services: &services,
        team: Some("payments"),
        env: "production",
        ended_at: Some(time("12:30")),
        named: named.into_iter().collect(),
    };
    let deployments = Deployments::new(deployments);
    match deployments.link(&suspect, Duration::from_hours(1)) {
        Linked::Automatically(deployment) => deployment.version.clone().unwrap(),
        Linked::Explicitly(deployment, by) => {
            format!("named {} by {by:?}", deployment.version.clone().unwrap())
        }
        other => format!("{other:?}"),
    }
}

fn two() -> Vec<Deployment> {
    vec![deployment("1", "checkout", "10:00", "10:10"), deployment("2", "checkout", "11:00", "11:30")]
}

#[test]
fn the_latest_that_had_started_within_the_window_is_linked() {
    let at = |at: &str| linked(two(), &["checkout"], at, None);
    assert_eq!(at("09:59"), "NoneInWindow");
    assert_eq!(at("10:00"), "v1", "one still running counts");
    assert_eq!(at("10:59"), "v1");
    assert_eq!(at("11:00"), "v2");
    assert_eq!(at("12:30"), "v2", "it ended just an hour ago");
    assert_eq!(at("12:31"), "NoneInWindow");
}

#[test]
fn only_the_failures_services_env_and_team_count() {
    assert_eq!(linked(two(), &["search"], "11:10", None), "NoneInWindow");
    assert_eq!(linked(two(), &["search", "checkout"], "11:10", None), "v2");
    assert_eq!(linked(two(), &[], "11:10", None), "v2", "the team stands in for services");
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
        let suspect = Suspect {
            created_at: time("11:10"),
            services: &services,
            team: None,
            env: "production",
            ended_at: Some(time("12:30")),
            named: vec![name, "v1", "v8"],
        };
        assert_eq!(deployments.not_used(&suspect), [(name, because)], "the next one is used");
        let Linked::Explicitly(deployment, KnownBy::Version) = deployments.link(&suspect, Duration::ZERO)
        else {
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
    assert_eq!(named(&[of_search], "abcdef1"), "named v1 by CommitSha", "the failure's own come first");
}

#[test]
fn what_fits_to_the_letter_comes_first() {
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
fn a_rollback_brings_back_an_earlier_version() {
    let versions = ["v1", "v2", "v3", "v1", "v1"];
    let all: Vec<Deployment> = versions
        .iter()
        .enumerate()
        .map(|(n, version)| Deployment {
            version: Some((*version).to_owned()),
            ..deployment(&n.to_string(), "checkout", &format!("1{n}:00"), &format!("1{n}:05"))
        })
        .collect();
    let deployments = Deployments::new(all.clone());
    let rollbacks: Vec<bool> = all.iter().map(|deployment| deployments.is_rollback(deployment)).collect();
    assert_eq!(rollbacks, [false, false, false, true, false]);
}
