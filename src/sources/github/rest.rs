//! GitHub's REST API: the deployments of a repository and their statuses.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;

use super::reading::events;
use crate::config::GitHubSection;
use crate::domain::source::Source;
use crate::domain::timestamp::Timestamp;
use crate::http_client::Outgoing;
use crate::sources::deployment_api::{
    ApiClient, ApiError, ApiNames, ApiSetupError, DeploymentApi, Deployments, Page, ReadRepository, Window,
    found_or_none,
};

/// Deployments may wait for an approval before they change. So the list is read back to this long before the window.
/// [`Window::unfinished`] has those that wait longer.
const LONGEST_APPROVAL: Duration = Duration::from_hours(24);

/// A client of GitHub's REST API.
#[derive(Debug, Clone)]
pub struct GitHubApi {
    client: ApiClient,
    /// Host of the repositories' web pages.
    host: String,
}

impl GitHubApi {
    /// A client for the API that the configuration names.
    ///
    /// # Errors
    /// The token cannot be sent, or the machine has no CA certificates.
    pub fn new(
        section: &GitHubSection,
        token: SecretString,
        outgoing: &Outgoing,
    ) -> Result<Self, ApiSetupError> {
        let names = ApiNames {
            title: "GitHub",
            section: "github",
            rights: "the right to read deployments of this repository",
            accept: HeaderValue::from_static("application/vnd.github+json"),
            token_header: AUTHORIZATION,
            scheme: "Bearer ",
        };
        let client = ApiClient::new(names, section.url.get(), token, outgoing)?;
        Ok(Self { client, host: section.url.host().to_owned() })
    }

    /// Asks for the deployments of a repository, or without one for the rate limit, to find out if the token is accepted.
    pub async fn probe(&self, repository: Option<&str>) -> Result<(), ApiError> {
        let Some(repository) = repository else {
            return self.client.get_soon(&["rate_limit"]).await.map(drop);
        };
        let (owner, name) = self.owner_and_name(repository)?;
        self.client.get_soon(&["repos", owner, name, "deployments"]).await.map(drop)
    }

    /// Owner and name of a repository.
    fn owner_and_name<'a>(&self, repository: &'a str) -> Result<(&'a str, &'a str), ApiError> {
        const PROBLEM: &str = "the name of a repository has the form owner/name";
        let parts = repository.split_once('/').filter(|(_, name)| !name.contains('/'));
        parts.ok_or_else(|| self.client.not_understood(&["repos", repository], PROBLEM))
    }

    /// Reads the statuses of the deployments of a repository that changed in a window.
    async fn read_repository(
        &self,
        repository: &str,
        window: Window<'_>,
    ) -> Result<ReadRepository, ApiError> {
        let (owner, name) = self.owner_and_name(repository)?;
        let of_repository = ["repos", owner, name];
        let Page { body: found, at, .. } = self.client.get(&of_repository, &[]).await?;
        if found.get("html_url").and_then(Value::as_str).is_none() {
            return Err(self.client.not_understood(&of_repository, "the repository has no html_url"));
        }
        let mut read = ReadRepository { at, ..ReadRepository::default() };
        let mut deployments = self.changed(&of_repository, &window).await?;
        self.client.add_numbered(&of_repository, window.unfinished, &mut deployments, &mut read).await?;
        read.left_out.extend(deployments.left_out());
        let is_old = |status: &Value| {
            at.zip(time(status, "created_at"))
                .is_none_or(|(now, created_at)| created_at.saturating_add(window.left_to_webhooks) <= now)
        };
        for (number, deployment) in &deployments.by_number {
            if read.has_failed_often() {
                break;
            }
            let written = number.to_string();
            let path = [&of_repository[..], &["deployments", &written, "statuses"]].concat();
            let statuses = match found_or_none(self.client.list(&path, &[], |_| false).await) {
                Ok(statuses) => statuses.unwrap_or_default(),
                Err(error) => {
                    read.note_failed(*number, error)?;
                    continue;
                }
            };
            let statuses: Vec<Value> = statuses.into_iter().filter(is_old).collect();
            let (events, left_out) = events(&found, deployment, &statuses);
            read.events.extend(events);
            read.left_out.extend(left_out.iter().map(|reason| format!("deployment {number}: {reason}")));
        }
        Ok(read)
    }

    /// The deployments of a repository that changed in a window, by their numbers. GitHub lists the newest first.
    async fn changed(&self, path: &[&str], window: &Window<'_>) -> Result<Deployments, ApiError> {
        let oldest = window.since.saturating_sub(LONGEST_APPROVAL);
        let was_created_before =
            |deployment: &Value| time(deployment, "created_at").is_some_and(|created_at| created_at < oldest);
        let is_last = |listed: &[Value]| listed.last().is_none_or(was_created_before);
        let path = [path, &["deployments"]].concat();
        let listed = self.client.list(&path, &[], is_last).await?;
        // The time of the last change moves with every status.
        let has_changed = |deployment: &Value| {
            time(deployment, "updated_at").is_none_or(|updated_at| updated_at >= window.since)
        };
        let mut changed = Deployments::default();
        changed.extend(listed.into_iter().filter(has_changed));
        Ok(changed)
    }
}

impl DeploymentApi for GitHubApi {
    const READ: &'static Source = &super::reading::SOURCE;
    const SENT: &'static Source = &super::SOURCE;

    fn host(&self) -> &str {
        &self.host
    }

    async fn read(&self, repository: &str, window: Window<'_>) -> Result<ReadRepository, ApiError> {
        self.read_repository(repository, window).await
    }
}

fn time(object: &Value, key: &str) -> Option<Timestamp> {
    Timestamp::parse(object.get(key)?.as_str()?).ok()
}
