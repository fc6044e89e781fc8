//! `POST /api/v2/dora/deployment`: parsing of a deployment.

use std::time::Duration;

use serde_json::json;

use super::attributes::{Attributes, BAD_ID, made_up_id, missing};
use crate::domain::deployment::Deployment;
use crate::domain::id::DeploymentId;
use crate::domain::policy::Policy;
use crate::domain::timestamp::Timestamp;

/// Rounding error of `datadog-ci`: it computes nanoseconds as a double.
const ROUNDING: Duration = Duration::from_nanos(256);
/// Longest time that a deployment may lie in the future. Clocks differ, but not by more than a day.
const FARTHEST_AHEAD: Duration = Duration::from_hours(24);

/// Parses a deployment, checks Datadog's limits, and fills in missing values.
pub(super) fn parse(body: &[u8], policy: &Policy, received_at: Timestamp) -> Result<Deployment, String> {
    let mut attributes = Attributes::of_body(body)?;
    let service = attributes.name("service")?.ok_or_else(|| missing("service"))?;
    let started_at = attributes.required_time("started_at")?;
    let finished_at = attributes.time("finished_at")?.unwrap_or(started_at);
    for (attribute, time) in [("started_at", started_at), ("finished_at", finished_at)] {
        if time > received_at.saturating_add(FARTHEST_AHEAD) {
            return Err(format!("attribute \"{attribute}\" lies more than a day in the future"));
        }
    }
    if finished_at.saturating_add(ROUNDING) < started_at {
        return Err("attribute \"finished_at\" must not lie before \"started_at\"".to_owned());
    }
    let (commit_sha, repository_url) = attributes.git()?;
    let env = attributes.name("env")?.unwrap_or_else(|| policy.default_env.clone());
    let team = attributes.name("team")?.or_else(|| policy.team_of_service(&service).map(str::to_owned));
    let version = attributes.name("version")?;
    let tags = attributes.tags()?;
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
    let id = attributes.text("id")?.unwrap_or_else(|| made_up_id(&content()));
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
        let now = Timestamp::parse("2026-11-20T00:00:00Z").unwrap();
        parse(json!({ "data": { "attributes": attributes } }).to_string().as_bytes(), &policy, now)
    }

    #[test]
    fn a_deployment_of_tomorrow_is_refused() {
        let at = |started_at: &str| sent(&json!({ "service": "a", "started_at": started_at }));
        assert!(at("2026-11-21T00:00:00Z").is_ok());
        let refused = at("2026-11-21T00:00:01Z").unwrap_err();
        assert_eq!(refused, "attribute \"started_at\" lies more than a day in the future");
        let until = |finished_at: &str| {
            let started_at = "2026-11-19T00:00:00Z";
            sent(&json!({ "service": "a", "started_at": started_at, "finished_at": finished_at }))
        };
        assert!(until("2026-11-21T00:00:00Z").is_ok());
        assert!(until("2126-11-19T00:00:00Z").unwrap_err().starts_with("attribute \"finished_at\""));
    }

    #[test]
    fn missing_values_are_filled_in() {
        let deployment = sent(&json!({ "service": "checkout", "started_at": 1_793_527_200 })).unwrap();
        assert_eq!(deployment.finished_at, deployment.started_at);
        assert_eq!((deployment.env.as_str(), deployment.team.as_deref()), ("production", Some("payments")));
        let without_entry = sent(&json!({ "service": "search", "started_at": 1_793_527_200 })).unwrap();
        assert_eq!(without_entry.team, None);
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
            json!({ "service": 7, "started_at": 1_793_527_200 }),
            json!({ "service": "a", "started_at": "1793527200" }),
            json!({ "service": "a", "started_at": 1_793_527_200, "version": 1.1 }),
            json!({ "service": "a", "started_at": 1_793_527_200, "finished_at": 1_793_527_199 }),
            json!({ "service": "a", "started_at": 1_793_527_200, "id": "short" }),
            json!({ "service": "a", "started_at": 1_793_527_200, "git": { "repository_url": "x", "commit_sha": "abc" } }),
            json!({ "service": "a", "started_at": 1_793_527_200,
                    "custom_tags": (0..101).map(|n| format!("k:{n}")).collect::<Vec<_>>() }),
        ];
        let errors: Vec<String> = refused.iter().map(|attributes| sent(attributes).unwrap_err()).collect();
        insta::assert_snapshot!(errors.join("\n"));
    }
}
