//! Records that Datadog lists, as failures and deployments of this program.
//!
//! Times are RFC 3339, in older answers Unix numbers. A repository may come as `github.com/org/repo`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::address::{text_without_credentials, without_credentials};
use crate::domain::commit::is_full_sha;
use crate::domain::deployment::Deployment;
use crate::domain::id::{DeploymentId, FailureId};
use crate::domain::import::IMPORTED;
use crate::domain::name::name;
use crate::domain::policy::Policy;
use crate::domain::submission::Submission;
use crate::domain::text_limits::fitting_name;
use crate::domain::timestamp::Timestamp;

#[derive(Deserialize)]
struct Listed {
    id: String,
    attributes: ListedAttributes,
}

#[derive(Deserialize)]
struct ListedAttributes {
    service: Option<String>,
    #[serde(default)]
    services: Option<Vec<String>>,
    team: Option<String>,
    env: Option<String>,
    name: Option<String>,
    severity: Option<String>,
    version: Option<String>,
    started_at: Option<Value>,
    finished_at: Option<Value>,
    git: Option<ListedGit>,
    custom_tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ListedGit {
    commit_sha: Option<String>,
    repository_url: Option<String>,
    repository_id: Option<String>,
}

/// Id of a record. `None`: it has none, and cannot be distinguished from others without one.
pub fn id_of(record: &Value) -> Option<String> {
    Some(record.get("id")?.as_str()?.to_owned())
}

/// A failure that Datadog lists, read at `now`.
///
/// # Errors
/// The reason why it cannot be imported.
pub fn failure(record: Value, policy: &Policy, now: Timestamp) -> Result<Submission, String> {
    let Listed { id, attributes } = listed(record)?;
    let (started_at, finished_at) = attributes.times()?;
    let (commit_sha, repository_url) = attributes.git();
    let mut services = Vec::new();
    for service in attributes.services.iter().flatten().chain(&attributes.service) {
        if let Some(service) = named(Some(service)).filter(|service| !services.contains(service)) {
            services.push(service);
        }
    }
    let team = named(attributes.team.as_ref());
    if services.is_empty() && team.is_none() {
        return Err("it has neither a service nor a team".to_owned());
    }
    Ok(Submission {
        id: FailureId::parse(&valid_id(&id)).ok_or("its id cannot be used")?,
        services,
        team,
        env: named(attributes.env.as_ref()).unwrap_or_else(|| policy.default_env.clone()),
        started_at,
        finished_at,
        name: text(attributes.name.as_ref()),
        severity: named(attributes.severity.as_ref()),
        version: named(attributes.version.as_ref()),
        commit_sha,
        repository_url,
        tags: attributes.tags(),
        in_the_future: started_at.max(finished_at.unwrap_or(started_at)).is_ahead_of(now),
    })
}

/// A deployment that Datadog lists.
///
/// # Errors
/// The reason why it cannot be imported.
pub fn deployment(record: Value, policy: &Policy) -> Result<Deployment, String> {
    let Listed { id, attributes } = listed(record)?;
    let (started_at, finished_at) = attributes.times()?;
    let (commit_sha, repository_url) = attributes.git();
    let first = attributes.service.as_ref().or_else(|| attributes.services.as_ref()?.first());
    let service = named(first).ok_or("it has no service")?;
    let team =
        named(attributes.team.as_ref()).or_else(|| policy.team_of_service(&service).map(str::to_owned));
    Ok(Deployment {
        id: DeploymentId::parse(&valid_id(&id)).ok_or("its id cannot be used")?,
        team,
        env: named(attributes.env.as_ref()).unwrap_or_else(|| policy.default_env.clone()),
        started_at,
        finished_at: finished_at.unwrap_or(started_at).max(started_at),
        version: named(attributes.version.as_ref()),
        commit_sha,
        repository_url,
        tags: attributes.tags(),
        service,
    })
}

fn listed(record: Value) -> Result<Listed, String> {
    serde_json::from_value(record).map_err(|error| format!("it cannot be read: {error}"))
}

/// A text without blanks around it and without credentials.
fn text(text: Option<&String>) -> Option<String> {
    name(text?).map(|name| text_without_credentials(name).into_owned())
}

/// A name by which failures or deployments are found. Nobody can correct it at Datadog, so it is made to fit.
fn named(name: Option<&String>) -> Option<String> {
    text(name).map(|name| fitting_name(&name).into_owned())
}

/// The id itself, if it has the form of an id here, else one that is made of it. Datadog's oldest ids are shorter.
fn valid_id(id: &str) -> String {
    match FailureId::parse(id) {
        Some(id) => id.as_str().to_owned(),
        None => format!("datadog:{}", hex::encode(&Sha256::digest(id)[..16])),
    }
}

fn time(key: &str, value: Option<&Value>) -> Result<Option<Timestamp>, String> {
    let time = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => Timestamp::parse(text),
        Some(Value::Number(number)) => Timestamp::from_unix(number.as_i64().unwrap_or(i64::MAX)),
        Some(_) => return Err(format!("its {key} is no time")),
    };
    time.map(Some).map_err(|error| format!("its {key} {error}"))
}

impl ListedAttributes {
    fn times(&self) -> Result<(Timestamp, Option<Timestamp>), String> {
        let started_at = time("started_at", self.started_at.as_ref())?.ok_or("it has no started_at")?;
        Ok((started_at, time("finished_at", self.finished_at.as_ref())?))
    }

    /// Full commit, and URL of its repository.
    fn git(&self) -> (Option<String>, Option<String>) {
        let Some(git) = &self.git else { return (None, None) };
        let url =
            git.repository_url.as_deref().and_then(name).map(|url| without_credentials(url).into_owned());
        let of_id = || git.repository_id.as_deref().and_then(name).map(|id| format!("https://{id}"));
        (git.commit_sha.clone().filter(|sha| is_full_sha(sha)), url.or_else(of_id))
    }

    fn tags(&self) -> BTreeSet<String> {
        let own = self.custom_tags.iter().flatten().filter_map(|tag| text(Some(tag)));
        own.chain([IMPORTED.to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy() -> Policy {
        Policy { default_env: "production".to_owned(), ..Policy::default() }
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-20T00:00:00Z").unwrap()
    }

    #[test]
    fn a_failure_keeps_what_datadog_holds_of_it() {
        let record = json!({ "id": "2775a2d3-6c28-4934-ae60-0ef9ce3720ee", "type": "dora_incident", "attributes": {
            "services": ["shopist", "shopist", " "], "team": "backend", "env": "prod", "name": "Webserver is down",
            "severity": "High", "started_at": "2026-08-31T14:26:14Z", "finished_at": 1_788_186_384_000_000_000_i64,
            "version": "v1.12.07", "custom_tags": ["tier:1"],
            "git": { "commit_sha": "66adc9350f2cc9b250b69abddab733dd55e1a588", "repository_id": "github.com/o/r" },
        } });
        insta::assert_debug_snapshot!(failure(record, &policy(), now()).unwrap());
    }

    #[test]
    fn a_deployment_keeps_what_datadog_holds_of_it() {
        let record = json!({ "id": "abc-123", "type": "dora_deployment", "attributes": {
            "service": "shopist", "started_at": "2026-08-31T14:26:14Z", "finished_at": "2026-08-31T14:26:24Z",
            "version": "v1.12.07",
            "git": { "commit_sha": "66adc93", "repository_url": "https://ci:secret@github.com/o/r" },
        } });
        insta::assert_debug_snapshot!(deployment(record, &policy()).unwrap());
    }

    #[test]
    fn names_are_made_to_fit() {
        let long = "x".repeat(800);
        let record = json!({ "id": "2775a2d3-6c28-4934-ae60", "attributes": {
            "service": "a\0b", "services": ["c\td", &long], "team": &long, "env": "e\nf", "severity": "g\0h",
            "version": &long, "name": &long, "started_at": "2026-08-31T14:26:14Z",
            "git": { "commit_sha": "a".repeat(129) } } });
        let failed = failure(record.clone(), &policy(), now()).unwrap();
        assert_eq!(
            (&*failed.services[0], failed.services[1].len(), &*failed.services[2]),
            ("c d", 768, "a b")
        );
        assert_eq!((failed.env.as_str(), failed.severity.as_deref()), ("e f", Some("g h")));
        assert_eq!((failed.name, failed.commit_sha), (Some(long), None));
        let deployed = deployment(record, &policy()).unwrap();
        assert_eq!((deployed.service.as_str(), deployed.env.as_str()), ("a b", "e f"));
        assert_eq!([deployed.team, deployed.version].map(|name| name.unwrap().len()), [768; 2]);
    }

    #[test]
    fn a_record_that_cannot_be_used_has_its_reason() {
        let attributes = [
            json!({}),
            json!({ "started_at": "2026-08-31T14:26:14Z" }),
            json!({ "service": "a", "started_at": true }),
            json!({ "service": "a", "started_at": "soon" }),
            json!({ "service": 1, "started_at": "2026-08-31T14:26:14Z" }),
        ];
        let mut errors: Vec<String> = Vec::new();
        for attributes in attributes {
            let record = json!({ "id": "2775a2d3-6c28-4934-ae60", "attributes": attributes });
            errors.push(failure(record.clone(), &policy(), now()).unwrap_err());
            errors.push(deployment(record, &policy()).unwrap_err());
        }
        insta::assert_snapshot!(errors.join("\n"));
        assert!(failure(json!([]), &policy(), now()).is_err());
        let records = [json!({ "id": "a" }), json!({ "id": 1 }), json!(1)];
        assert_eq!(records.map(|record| id_of(&record)), [Some("a".to_owned()), None, None]);
    }
}
