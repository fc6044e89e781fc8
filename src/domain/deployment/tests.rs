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

#[test]
fn people_know_a_deployment_by_its_service_and_version_or_commit() {
    let whole = deployment("1", "checkout", "10:00", "10:05");
    assert_eq!(whole.display_name(), "checkout v1");
    let without_version =
        Deployment { version: None, commit_sha: Some("0123456789abcdef".to_owned()), ..whole.clone() };
    assert_eq!(without_version.display_name(), "checkout 0123456");
    assert_eq!(Deployment { commit_sha: None, ..without_version }.display_name(), "checkout");
}
