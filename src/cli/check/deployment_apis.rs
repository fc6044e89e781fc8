//! Asks the APIs that deployments are read from about their tokens. Changes nothing there.

use super::item::{Finding, Item};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::domain::repository_address::name_on;
use crate::domain::timestamp::Timestamp;
use crate::http::expires_soon;
use crate::run::{github_api, gitlab_api, outgoing};
use crate::sources::deployment_api::{ApiError, DeploymentApi};
use crate::sources::github::rest::GitHubApi;
use crate::sources::gitlab::rest::{GitLabApi, TokenFacts};

/// Asks each API that is configured.
pub(super) async fn check(config: &Config) -> Vec<Item> {
    // The check of the secrets reports a token that cannot be sent.
    let Ok(outgoing) = outgoing(config) else { return Vec::new() };
    let github = async {
        if config.github.as_ref().is_some_and(|section| section.token.is_none()) {
            return Some(Item::new("GitHub token", not_asked("github")));
        }
        let api = github_api(config, &outgoing).ok().flatten()?;
        let repository = named_repository(config, &api);
        Some(Item::new("GitHub token", of_github(&api, repository.as_deref()).await))
    };
    let gitlab = async {
        if config.gitlab.as_ref().is_some_and(|section| section.token.is_none()) {
            return Some(Item::new("GitLab token", not_asked("gitlab")));
        }
        let api = gitlab_api(config, &outgoing).ok().flatten()?;
        let project = named_repository(config, &api);
        let found = of_gitlab(&api, project.as_deref(), SystemClock.now()).await;
        Some(Item::new("GitLab token", found.unwrap_or_else(|error| Finding::Failed(error.to_string()))))
    };
    let (github, gitlab) = tokio::join!(github, gitlab);
    github.into_iter().chain(gitlab).collect()
}

/// Finding where webhooks are received, and the API is not used.
fn not_asked(section: &str) -> Finding {
    Finding::Ok(format!("not asked, because {section}.token is not set: lost webhooks are not repaired"))
}

/// A repository of the API that the configuration names.
fn named_repository<A: DeploymentApi>(config: &Config, api: &A) -> Option<String> {
    let in_tables = config.repositories_in_tables(A::SENT.name.as_str()).certain.into_iter();
    let of_services = config.repositories_of_services();
    let mut of_services = of_services.iter().filter_map(|address| name_on(address, api.host()));
    in_tables.chain(of_services.by_ref()).next()
}

async fn of_github(api: &GitHubApi, repository: Option<&str>) -> Finding {
    match (api.probe(repository).await, repository) {
        (Ok(()), Some(repository)) => Finding::Ok(format!("it may read the deployments of {repository}")),
        (Ok(()), None) => Finding::Ok(format!(
            "GitHub accepts it. Not tested: the right \"Deployments: read\", because the configuration names no repository \
             at {}",
            api.host()
        )),
        (Err(error), _) => Finding::Failed(error.to_string()),
    }
}

async fn of_gitlab(api: &GitLabApi, project: Option<&str>, now: Timestamp) -> Result<Finding, ApiError> {
    let facts = api.token_facts().await?;
    let may = match project {
        Some(project) => {
            api.probe(project).await?;
            format!("it may read the deployments of {project}")
        }
        None => {
            format!(
                "GitLab accepts it. Not tested: the role Reporter, because the configuration names no project at {}",
                api.host()
            )
        }
    };
    // With a project, its answer has shown it. A fine-grained token has other scopes.
    let unfit = facts.as_ref().filter(|facts| project.is_none() && !facts.may_read());
    if let Some(TokenFacts { scopes, .. }) = unfit {
        return Ok(Finding::Warn(format!(
            "GitLab accepts it, but reading deployments needs the scope read_api, and its scopes are: {}. Put a token with \
             read_api where gitlab.token says, or name a project in the configuration, so that this check can try",
            scopes.join(", ")
        )));
    }
    Ok(match facts.and_then(|facts| facts.expires_at) {
        Some(at) if expires_soon(at, now) => Finding::Warn(format!(
            "{may}. It expires on {}: put a new one where gitlab.token says, and reload the configuration",
            day(at)
        )),
        Some(at) => Finding::Ok(format!("{may}. It expires on {}", day(at))),
        None => Finding::Ok(may),
    })
}

/// The day of a time in UTC.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take_while(|character| *character != 'T').collect()
}
