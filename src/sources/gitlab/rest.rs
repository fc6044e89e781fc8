//! GitLab's REST API: the deployments of a project.

use std::collections::BTreeMap;

use reqwest::header::{HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;

use super::reading::events;
use crate::config::GitLabSection;
use crate::domain::source::Source;
use crate::domain::timestamp::Timestamp;
use crate::http_client::Outgoing;
use crate::sources::deployment_api::{
    ApiClient, ApiError, ApiNames, ApiProblem, ApiSetupError, DeploymentApi, Deployments, Page,
    ReadRepository, Window,
};

/// A client of GitLab's REST API.
#[derive(Debug, Clone)]
pub struct GitLabApi {
    client: ApiClient,
    /// Host of the projects' web pages, with the path that the GitLab is below.
    host: String,
}

/// A token, as GitLab describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Beginning of the day on which it expires. `None`: never.
    pub expires_at: Option<Timestamp>,
}

impl TokenFacts {
    /// `true` if a scope allows reading.
    pub fn may_read(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "read_api" || scope == "api")
    }
}

impl GitLabApi {
    /// A client for the GitLab that the configuration names.
    ///
    /// # Errors
    /// The token cannot be sent, or the machine has no CA certificates.
    pub fn new(
        section: &GitLabSection,
        token: SecretString,
        outgoing: &Outgoing,
    ) -> Result<Self, ApiSetupError> {
        let names = ApiNames {
            title: "GitLab",
            section: "gitlab",
            rights: "the scope read_api, and at least the role Reporter in this project",
            accept: HeaderValue::from_static("application/json"),
            token_header: HeaderName::from_static("private-token"),
            scheme: "",
        };
        let client = ApiClient::new(names, &section.url.api(), token, outgoing)?;
        Ok(Self { client, host: section.url.host().to_owned() })
    }

    /// Asks about the token. `None` if GitLab accepts it and does not describe it: before GitLab 15.5, or for a token of
    /// OAuth.
    pub async fn token_facts(&self) -> Result<Option<TokenFacts>, ApiError> {
        match self.client.get_soon(&["personal_access_tokens", "self"]).await {
            Ok(page) => Ok(token_facts(&page.body)),
            Err(ApiError {
                problem: ApiProblem::NotFound | ApiProblem::Forbidden(_) | ApiProblem::Rejected(..),
                ..
            }) => self.client.get_soon(&["version"]).await.map(|_| None),
            Err(error) => Err(error),
        }
    }

    /// Asks for the deployments of a project, to find out if the token may read them.
    pub async fn probe(&self, project: &str) -> Result<(), ApiError> {
        self.client.get_soon(&["projects", project, "deployments"]).await.map(drop)
    }

    /// Reads the statuses of the deployments of a project that changed in a window.
    async fn read_project(&self, name: &str, window: Window<'_>) -> Result<ReadRepository, ApiError> {
        let of_project = ["projects", name];
        let Page { body: project, at, .. } = self.client.get(&of_project, &[]).await?;
        if project.get("web_url").and_then(Value::as_str).is_none() {
            return Err(self.client.not_understood(&of_project, "the project has no web_url"));
        }
        let mut read = ReadRepository { at, ..ReadRepository::default() };
        let mut deployments = self.changed(&of_project, window.since).await?;
        self.client.add_numbered(&of_project, window.unfinished, &mut deployments, &mut read).await?;
        read.left_out.extend(deployments.left_out());
        let until = at.map(|at| at.saturating_sub(window.left_to_webhooks));
        let mut tiers = BTreeMap::new();
        for (number, deployment) in &deployments.by_number {
            if read.has_failed_often() {
                break;
            }
            let tier = match self.tier(&of_project, deployment, &mut tiers).await {
                Ok(tier) => tier,
                Err(error) => {
                    read.note_failed(*number, error)?;
                    continue;
                }
            };
            match events(&project, tier.as_deref(), deployment, until) {
                Ok(events) => read.events.extend(events),
                Err(reason) => drop(read.left_out.insert(format!("deployment {number}: {reason}"))),
            }
        }
        Ok(read)
    }

    /// The deployments of a project that changed since a time, by their numbers.
    async fn changed(&self, path: &[&str], since: Timestamp) -> Result<Deployments, ApiError> {
        let since = since.to_string();
        // The latest first: one that changes meanwhile moves to the front, and pushes no other one to a page that was read.
        let query = [("updated_after", since.as_str()), ("order_by", "updated_at"), ("sort", "desc")];
        let path = [path, &["deployments"]].concat();
        let listed = self.client.list(&path, &query, |_| false).await?;
        let mut changed = Deployments::default();
        changed.extend(listed);
        Ok(changed)
    }

    /// Tier of a deployment's environment, which is asked once for each environment. `None`: the environment was deleted,
    /// or the token may not read it.
    async fn tier(
        &self,
        path: &[&str],
        deployment: &Value,
        known: &mut BTreeMap<u64, Result<Option<String>, ApiError>>,
    ) -> Result<Option<String>, ApiError> {
        let Some(environment) = deployment.pointer("/environment/id").and_then(Value::as_u64) else {
            return Ok(None);
        };
        if let Some(tier) = known.get(&environment) {
            return tier.clone();
        }
        let number = environment.to_string();
        let tier = match self.client.get(&[path, &["environments", &number]].concat(), &[]).await {
            Ok(page) => Ok(page.body.get("tier").and_then(Value::as_str).map(str::to_owned)),
            Err(ApiError { problem: ApiProblem::NotFound | ApiProblem::Forbidden(_), .. }) => Ok(None),
            Err(error) => Err(error),
        };
        known.insert(environment, tier.clone());
        tier
    }
}

impl DeploymentApi for GitLabApi {
    const READ: &'static Source = &super::reading::SOURCE;
    const SENT: &'static Source = &super::SOURCE;

    fn host(&self) -> &str {
        &self.host
    }

    async fn read(&self, repository: &str, window: Window<'_>) -> Result<ReadRepository, ApiError> {
        self.read_project(repository, window).await
    }
}

/// `None` if the answer does not describe a token.
fn token_facts(token: &Value) -> Option<TokenFacts> {
    let scopes = token.get("scopes")?.as_array()?.iter().filter_map(Value::as_str);
    let day = token.get("expires_at").and_then(Value::as_str);
    Some(TokenFacts {
        scopes: scopes.map(str::to_owned).collect(),
        expires_at: day.and_then(|day| Timestamp::parse(&format!("{day}T00:00:00Z")).ok()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_tells_its_scopes_and_its_last_day() {
        let facts =
            token_facts(&json!({ "scopes": ["read_user", "read_api"], "expires_at": "2026-12-31" })).unwrap();
        assert!(facts.may_read());
        assert_eq!(facts.expires_at, Timestamp::parse("2026-12-31T00:00:00Z").ok());
        let facts = token_facts(&json!({ "scopes": ["read_repository"], "expires_at": null })).unwrap();
        assert!(!facts.may_read() && facts.expires_at.is_none());
        assert_eq!(token_facts(&json!({ "message": "something else" })), None);
    }
}
