//! Deployments at Apache DevLake: `POST {connection}/deployments`, an upsert by `id`.

use serde::Serialize;

use super::body::json;
use super::devlake_environment::environment;
use super::devlake_text::{LONGEST_CHARS, date};
use super::text::{unique_within, within};
use crate::domain::deployment::Deployment;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentBody<'a> {
    id: &'a str,
    display_title: String,
    name: String,
    result: &'static str,
    environment: &'static str,
    created_date: String,
    started_date: String,
    finished_date: String,
    deployment_commits: [CommitBody; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommitBody {
    repo_url: String,
    commit_sha: String,
    started_date: String,
    finished_date: String,
    result: &'static str,
    /// DevLake: branch or tag. The version is sent instead, because neither is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    ref_name: Option<String>,
}

/// DevLake: `repo_url` is a string with an index, which in `MySQL` is a `varchar(191)`.
const LONGEST_REPOSITORY_URL_CHARS: usize = 191;
/// DevLake: `commit_sha` is a `varchar(255)`. So is the id of its row, which has `webhook:`, the connection's number,
/// 16 digits and the commit.
const LONGEST_COMMIT_SHA_CHARS: usize = 200;

/// Result of every deployment. One that failed in the pipeline deployed nothing, so pipelines do not report it.
const SUCCESS: &str = "SUCCESS";

/// Body of the request. `None` without a commit or its repository: DevLake requires both, because it counts
/// deployments by their commits.
pub(super) fn deployment(deployment: &Deployment) -> Option<Vec<u8>> {
    let (started_date, finished_date) = (date(deployment.started_at), date(deployment.finished_at));
    let name = match &deployment.version {
        Some(version) => within(&format!("{} {version}", deployment.service), LONGEST_CHARS),
        None => within(&deployment.service, LONGEST_CHARS),
    };
    let commit = CommitBody {
        repo_url: unique_within(deployment.repository_url.as_deref()?, LONGEST_REPOSITORY_URL_CHARS),
        commit_sha: unique_within(deployment.commit_sha.as_deref()?, LONGEST_COMMIT_SHA_CHARS),
        started_date: started_date.clone(),
        finished_date: finished_date.clone(),
        result: SUCCESS,
        ref_name: deployment.version.as_deref().map(|version| within(version, LONGEST_CHARS)),
    };
    let request = DeploymentBody {
        id: deployment.id.as_str(),
        display_title: name.clone(),
        name,
        result: SUCCESS,
        environment: environment(&deployment.env),
        created_date: started_date.clone(),
        started_date,
        finished_date,
        deployment_commits: [commit],
    };
    Some(json(&request))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests;

    #[test]
    fn a_deployment_without_a_commit_and_its_repository_is_not_sent() {
        let mut record = tests::deployment("1", "checkout", "10:00", "10:10");
        assert_eq!(deployment(&record), None, "it has no repository");
        record.repository_url = Some("https://github.com/acme/checkout".to_owned());
        assert!(deployment(&record).is_some());
        record.commit_sha = None;
        assert_eq!(deployment(&record), None);
    }
}
