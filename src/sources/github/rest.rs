//! GitHub's REST API: the deployments of a repository and their statuses.

use std::collections::{BTreeMap, BTreeSet};
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
    ApiClient, ApiError, ApiNames, ApiProblem, ApiSetupError, DeploymentApi, Page, ReadRepository, Window,
};
use crate::sources::text::host;

/// Number of entries of a page.
const PER_PAGE: usize = 100;
/// Greatest number of pages of a list. A list that has more is read up to here.
const MOST_PAGES: u32 = 300;
/// Time before the window in which deployments may have been created that changed in it: they wait for an approval.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

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
            accept: HeaderValue::from_static("application/vnd.github+json"),
            token_header: AUTHORIZATION,
            scheme: "Bearer ",
        };
        let client = ApiClient::new(names, section.url.get(), token, outgoing)?;
        Ok(Self { client, host: host(&section.url.web()).unwrap_or_default() })
    }

    /// Asks for the deployments of a repository, or without one for the rate limit, to find out if the token is accepted.
    pub async fn probe(&self, repository: Option<&str>) -> Result<(), ApiError> {
        match repository.map(|repository| (repository, split(repository))) {
            None => self.client.get_soon(&["rate_limit"]).await.map(drop),
            Some((_, Some((owner, name)))) => {
                self.client.get_soon(&["repos", owner, name, "deployments"]).await.map(drop)
            }
            Some((repository, None)) => Err(self.client.not_understood(&["repos", repository], NO_NAME)),
        }
    }

    /// Reads the statuses of the deployments of a repository that changed in a window.
    async fn read_repository(
        &self,
        repository: &str,
        window: Window<'_>,
    ) -> Result<ReadRepository, ApiError> {
        let no_name = || self.client.not_understood(&["repos", repository], NO_NAME);
        let (owner, name) = split(repository).ok_or_else(no_name)?;
        let of_repository = ["repos", owner, name];
        let Page { body: found, at, .. } = self.client.get(&of_repository, &[]).await?;
        let mut deployments = self.changed(&of_repository, &window).await?;
        self.add_unfinished(&of_repository, window.unfinished, &mut deployments).await?;
        let is_old = |status: &Value| {
            at.zip(time(status, "created_at"))
                .is_none_or(|(now, created_at)| created_at.saturating_add(window.left_to_webhooks) <= now)
        };
        let mut read = ReadRepository { events: Vec::new(), at };
        for (number, deployment) in &deployments {
            let number = number.to_string();
            let path = [&of_repository[..], &["deployments", &number, "statuses"]].concat();
            let Some(statuses) = found_or_none(self.all(&path).await)? else { continue };
            let statuses: Vec<Value> = statuses.into_iter().filter(is_old).collect();
            let made = events(&found, deployment, &statuses);
            read.events.extend(made.map_err(|error| self.client.not_understood(&path, &error.to_string()))?);
        }
        Ok(read)
    }

    /// Adds the deployments of these numbers.
    async fn add_unfinished(
        &self,
        path: &[&str],
        unfinished: &BTreeSet<u64>,
        deployments: &mut BTreeMap<u64, Value>,
    ) -> Result<(), ApiError> {
        for number in unfinished {
            if deployments.contains_key(number) {
                continue;
            }
            let written = number.to_string();
            let path = [path, &["deployments", &written]].concat();
            if let Some(page) = found_or_none(self.client.get(&path, &[]).await)? {
                deployments.insert(*number, page.body);
            }
        }
        Ok(())
    }

    /// The deployments of a repository that changed in a window, by their numbers. GitHub lists the newest first.
    async fn changed(&self, path: &[&str], window: &Window<'_>) -> Result<BTreeMap<u64, Value>, ApiError> {
        let (path, mut changed) = ([path, &["deployments"]].concat(), BTreeMap::new());
        let oldest = window.since.saturating_sub(LONGEST_WAIT);
        for number in 1..=MOST_PAGES {
            let Page { body, has_next, .. } = self.page(&path, number).await?;
            let listed = self.list(&path, body)?;
            let was_created_before = |deployment: &Value| {
                time(deployment, "created_at").is_some_and(|created_at| created_at < oldest)
            };
            let is_last = !has_more(has_next, &listed) || listed.last().is_none_or(was_created_before);
            // The time of the last change moves with every status.
            let has_changed = |deployment: &Value| {
                time(deployment, "updated_at").is_none_or(|updated_at| updated_at >= window.since)
            };
            let numbered = listed.into_iter().filter(has_changed);
            changed.extend(numbered.filter_map(|deployment| Some((deployment["id"].as_u64()?, deployment))));
            if is_last {
                break;
            }
        }
        Ok(changed)
    }

    /// All entries of a list.
    async fn all(&self, path: &[&str]) -> Result<Vec<Value>, ApiError> {
        let mut all = Vec::new();
        for number in 1..=MOST_PAGES {
            let Page { body, has_next, .. } = self.page(path, number).await?;
            let listed = self.list(path, body)?;
            let is_last = !has_more(has_next, &listed);
            all.extend(listed);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    async fn page(&self, path: &[&str], number: u32) -> Result<Page, ApiError> {
        let query = [("per_page", PER_PAGE.to_string()), ("page", number.to_string())];
        let query = query.each_ref().map(|(key, value)| (*key, value.as_str()));
        self.client.get(path, &query).await
    }

    fn list(&self, path: &[&str], body: Value) -> Result<Vec<Value>, ApiError> {
        match body {
            Value::Array(entries) => Ok(entries),
            _ => Err(self.client.not_understood(path, "it is not a list")),
        }
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

/// Problem with a text that is not the name of a repository.
const NO_NAME: &str = "the name of a repository has the form owner/name";

/// `true` if there may be another page: the answer names one, or this one is full. A proxy may remove the header.
const fn has_more(has_next: bool, listed: &[Value]) -> bool {
    has_next || listed.len() >= PER_PAGE
}

/// An answer. `None` if a deployment was deleted since.
fn found_or_none<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.problem == ApiProblem::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Owner and name of a repository.
fn split(repository: &str) -> Option<(&str, &str)> {
    repository.split_once('/').filter(|(_, name)| !name.contains('/'))
}

fn time(object: &Value, key: &str) -> Option<Timestamp> {
    Timestamp::parse(object.get(key)?.as_str()?).ok()
}
