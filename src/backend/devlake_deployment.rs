//! Deployments at Apache DevLake: `POST {connection}/deployments`, an upsert by `id`.

use serde::Serialize;

use super::devlake::date;
use super::text::shown;
use crate::domain::deployment::Deployment;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    id: &'a str,
    display_title: String,
    name: String,
    result: &'static str,
    environment: &'static str,
    created_date: String,
    started_date: String,
    finished_date: String,
    deployment_commits: [Deployed<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deployed<'a> {
    repo_url: &'a str,
    commit_sha: &'a str,
    started_date: String,
    finished_date: String,
    result: &'static str,
    /// Branch or tag: the nearest that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    ref_name: Option<String>,
}

/// What is told of here has ended, and well: a pipeline that failed deployed nothing.
const SUCCESS: &str = "SUCCESS";

/// `None` without a commit and its repository, both of which DevLake requires: it counts deployments by their commits.
pub(super) fn deployment(deployment: &Deployment) -> Option<Vec<u8>> {
    let (started_date, finished_date) = (date(deployment.started_at), date(deployment.finished_at));
    let name = match &deployment.version {
        Some(version) => shown(&format!("{} {version}", deployment.service)),
        None => shown(&deployment.service),
    };
    let commit = Deployed {
        repo_url: deployment.repository_url.as_deref()?,
        commit_sha: deployment.commit_sha.as_deref()?,
        started_date: started_date.clone(),
        finished_date: finished_date.clone(),
        result: SUCCESS,
        ref_name: deployment.version.as_deref().map(shown),
    };
    let request = Request {
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
    serde_json::to_vec(&request).ok()
}

/// DevLake knows four environments, and its figures count PRODUCTION alone. What has none of the usual names is not
/// taken for production.
fn environment(env: &str) -> &'static str {
    const USUAL: [(&str, &[&str]); 3] = [
        ("PRODUCTION", &["prod", "prd", "live"]),
        ("STAGING", &["stag", "stg", "preprod", "pre-prod", "uat"]),
        ("TESTING", &["test", "qa"]),
    ];
    let env = env.to_ascii_lowercase();
    let is_one = |(_, beginnings): &&(&str, &[&str])| beginnings.iter().any(|begin| env.starts_with(begin));
    USUAL.iter().find(is_one).map_or("DEVELOPMENT", |(environment, _)| environment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests;

    #[test]
    fn envs_go_by_how_their_names_begin() {
        for (env, expected) in [
            ("production", "PRODUCTION"),
            ("Prod-EU", "PRODUCTION"),
            ("live", "PRODUCTION"),
            ("staging", "STAGING"),
            ("preprod", "STAGING"),
            ("test", "TESTING"),
            ("qa2", "TESTING"),
            ("dev", "DEVELOPMENT"),
            ("eu-1", "DEVELOPMENT"),
        ] {
            assert_eq!(environment(env), expected, "{env}");
        }
    }

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
