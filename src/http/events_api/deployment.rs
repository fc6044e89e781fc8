//! `POST /api/v2/dora/deployment`: what is sent, as a deployment.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::attributes::{BAD_ID, Git, Time, git, made_up_id, named, of_body, tags};
use crate::domain::deployment::Deployment;
use crate::domain::id::DeploymentId;
use crate::domain::policy::Policy;

/// `datadog-ci` sends nanoseconds that went through a double.
const ROUNDING: Duration = Duration::from_nanos(256);

#[derive(Deserialize)]
struct Attributes {
    id: Option<String>,
    service: String,
    team: Option<String>,
    env: Option<String>,
    started_at: Time,
    finished_at: Option<Time>,
    version: Option<String>,
    git: Option<Git>,
    custom_tags: Option<BTreeSet<String>>,
}

/// Checks what was sent against Datadog's own limits, and fills in what was left out.
pub(super) fn parse(body: &[u8], policy: &Policy) -> Result<Deployment, String> {
    let attributes: Attributes = of_body(body)?;
    let service = named(Some(attributes.service)).ok_or("attribute \"service\" must not be empty")?;
    let started_at = attributes.started_at.at("started_at")?;
    let finished_at = attributes.finished_at.map_or(Ok(started_at), |time| time.at("finished_at"))?;
    if finished_at.saturating_add(ROUNDING) < started_at {
        return Err("attribute \"finished_at\" must not lie before \"started_at\"".to_owned());
    }
    let (commit_sha, repository_url) = git(attributes.git)?;
    let env = named(attributes.env).unwrap_or_else(|| policy.default_env.clone());
    let team = named(attributes.team).or_else(|| policy.team_of_service(&service).map(str::to_owned));
    let version = named(attributes.version);
    let tags = tags(attributes.custom_tags)?;
    let content = || {
        json!([
            "deployment",
            service,
            team,
            env,
            started_at.as_nanos(),
            finished_at.as_nanos(),
            version,
            commit_sha,
            repository_url,
            tags
        ])
    };
    let id = attributes.id.unwrap_or_else(|| made_up_id(&content()));
    let id = DeploymentId::parse(&id).ok_or(BAD_ID)?;
    Ok(Deployment {
        id,
        service,
        team,
        env,
        started_at,
        finished_at: finished_at.max(started_at),
        version,
        commit_sha,
        repository_url,
        tags,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::domain::policy::ServiceEntry;

    fn sent(attributes: &Value) -> Result<Deployment, String> {
        let entry = ServiceEntry {
            services: vec!["checkout".to_owned()],
            team: Some("payments".to_owned()),
            ..ServiceEntry::default()
        };
        let policy =
            Policy { services: vec![entry], default_env: "production".to_owned(), ..Policy::default() };
        parse(json!({ "data": { "attributes": attributes } }).to_string().as_bytes(), &policy)
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let deployment = sent(&json!({ "service": "checkout", "started_at": 1_793_527_200 })).unwrap();
        assert_eq!(deployment.finished_at, deployment.started_at);
        assert_eq!((deployment.env.as_str(), deployment.team.as_deref()), ("production", Some("payments")));
        let of_nobody = sent(&json!({ "service": "search", "started_at": 1_793_527_200 })).unwrap();
        assert_eq!(of_nobody.team, None);
    }

    #[test]
    fn the_same_content_is_the_same_deployment() {
        let with = |version: &str| {
            sent(&json!({ "service": "checkout", "started_at": 1_793_527_200, "version": version }))
                .unwrap()
                .id
        };
        assert_eq!(with("v1"), with("v1"));
        assert_ne!(with("v1"), with("v2"));
    }

    #[test]
    fn datadogs_limits_hold() {
        let refused = [
            json!({ "started_at": 1_793_527_200 }),
            json!({ "service": " ", "started_at": 1_793_527_200 }),
            json!({ "service": "a" }),
            json!({ "service": "a", "started_at": "now" }),
            json!({ "service": "a", "started_at": 1_793_527_200, "finished_at": 1_793_527_199 }),
            json!({ "service": "a", "started_at": 1_793_527_200, "id": "short" }),
            json!({ "service": "a", "started_at": 1_793_527_200, "git": { "repository_url": "x", "commit_sha": "abc" } }),
            json!({ "service": "a", "started_at": 1_793_527_200,
                    "custom_tags": (0..101).map(|n| format!("k:{n}")).collect::<Vec<_>>() }),
        ];
        let told: Vec<String> = refused.iter().map(|attributes| sent(attributes).unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
