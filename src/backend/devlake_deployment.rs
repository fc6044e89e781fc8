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
    /// Branch or tag: the nearest that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    ref_name: Option<String>,
}

/// DevLake: `repo_url` is a string with an index, which in `MySQL` is a `varchar(191)`.
const LONGEST_REPOSITORY_URL_CHARS: usize = 191;
/// DevLake: `commit_sha` is a `varchar(255)`, and so is the id of its row, which is `webhook:`, the connection's number,
/// 16 digits and the commit.
const LONGEST_COMMIT_SHA_CHARS: usize = 200;

/// Result of every deployment that is told: one that failed in the pipeline deployed nothing, so it is not told.
const SUCCESS: &str = "SUCCESS";

/// `None` without a commit and its repository, both of which DevLake requires: it counts deployments by their commits.
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
    fn without_a_commit_and_its_repository_it_cannot_be_told() {
        let mut told = tests::deployment("1", "checkout", "10:00", "10:10");
        assert_eq!(deployment(&told), None, "it has no repository");
        told.repository_url = Some("https://github.com/acme/checkout".to_owned());
        assert!(deployment(&told).is_some());
        told.commit_sha = None;
        assert_eq!(deployment(&told), None);
    }
}
