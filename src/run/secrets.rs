//! Backends and the clients of APIs, with their secrets.

use std::sync::Arc;

use super::store_address::store_of_daemon;
use super::tls::tls;
use crate::backend::{Backend, Outgoing, SetupError};
use crate::config::deployment_api::{GITHUB_TOKEN, GITLAB_TOKEN};
use crate::config::pagerduty_token::PAGERDUTY_TOKEN;
use crate::config::store::STORE_PASSWORD;
use crate::config::{self, Config, Problem, Secret};
use crate::sources::github::rest::GitHubApi;
use crate::sources::gitlab::rest::GitLabApi;
use crate::sources::pagerduty::rest::RestClient;

/// Client of PagerDuty's REST API. `None` if it is not configured.
///
/// # Errors
/// The token cannot be fetched or used.
pub(crate) fn rest_client(config: &Config, outgoing: &Outgoing) -> Result<Option<RestClient>, Problem> {
    let (Some(api), Some(token)) = (&config.pagerduty.api, config.fetch_pagerduty_token()?) else {
        return Ok(None);
    };
    let client = RestClient::new(api, token, outgoing);
    client.map(Some).map_err(|error| config.locate(Problem::with_key(PAGERDUTY_TOKEN, error)))
}

/// Client of GitHub's REST API. `None` if it is not configured.
///
/// # Errors
/// The token cannot be fetched or used.
pub(crate) fn github_api(config: &Config, outgoing: &Outgoing) -> Result<Option<GitHubApi>, Problem> {
    let (Some(section), Some(token)) = (&config.github, config.fetch_deployment_token(GITHUB_TOKEN)?) else {
        return Ok(None);
    };
    let client = GitHubApi::new(section, token, outgoing);
    client.map(Some).map_err(|error| config.locate(Problem::with_key(GITHUB_TOKEN, error)))
}

/// Client of GitLab's REST API. `None` if it is not configured.
///
/// # Errors
/// The token cannot be fetched or used.
pub(crate) fn gitlab_api(config: &Config, outgoing: &Outgoing) -> Result<Option<GitLabApi>, Problem> {
    let (Some(section), Some(token)) = (&config.gitlab, config.fetch_deployment_token(GITLAB_TOKEN)?) else {
        return Ok(None);
    };
    let client = GitLabApi::new(section, token, outgoing);
    client.map(Some).map_err(|error| config.locate(Problem::with_key(GITLAB_TOKEN, error)))
}

/// Clients of the APIs that deployments are read from, where they are configured.
pub(super) struct DeploymentApis {
    pub(super) github: Option<GitHubApi>,
    pub(super) gitlab: Option<GitLabApi>,
}

/// Clients of the APIs that deployments are read from.
///
/// # Errors
/// All mistakes in their tokens.
pub(super) fn deployment_apis(config: &Config, outgoing: &Outgoing) -> Result<DeploymentApis, Vec<Problem>> {
    match (github_api(config, outgoing), gitlab_api(config, outgoing)) {
        (Ok(github), Ok(gitlab)) => Ok(DeploymentApis { github, gitlab }),
        (github, gitlab) => Err(github.err().into_iter().chain(gitlab.err()).collect()),
    }
}

/// Proxy and trusted certificates for requests to backends and APIs.
///
/// # Errors
/// The file with certificates cannot be used.
pub(crate) fn outgoing(config: &Config) -> Result<Outgoing, Problem> {
    const KEY: &str = "outgoing.certificate_authority";
    Outgoing::of(&config.outgoing).map_err(|error| config.locate(Problem::with_key(KEY, error)))
}

/// All mistakes in the secrets of a configuration. Its other mistakes are left out.
pub(crate) fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = config.fetch_listener_secrets().err().unwrap_or_default();
    problems.extend(tls(config).err());
    problems.extend(store_of_daemon(config).err());
    let outgoing = match outgoing(config) {
        Ok(outgoing) => outgoing,
        Err(problem) => {
            problems.push(problem);
            return problems;
        }
    };
    problems.extend(rest_client(config, &outgoing).err());
    problems.extend(deployment_apis(config, &outgoing).err().unwrap_or_default());
    for entry in &config.backend {
        let errors = backend(entry, &outgoing).err().unwrap_or_default();
        // The check of the configuration itself reports a missing secret.
        let of_secrets = errors.iter().filter(|error| !matches!(error, SetupError::Missing(_)));
        problems.extend(of_secrets.map(|error| config.problem_with_backend(entry, error)));
    }
    problems
}

/// The configured backends.
///
/// # Errors
/// All mistakes in their entries.
pub(super) fn backends(config: &Config, outgoing: &Outgoing) -> Result<Vec<Arc<Backend>>, Vec<Problem>> {
    let (mut set_up, mut problems) = (Vec::new(), Vec::new());
    for entry in &config.backend {
        match backend(entry, outgoing) {
            Ok(backend) => set_up.push(Arc::new(backend)),
            Err(errors) => {
                problems.extend(errors.iter().map(|error| config.problem_with_backend(entry, error)));
            }
        }
    }
    if problems.is_empty() { Ok(set_up) } else { Err(problems) }
}

/// The backend of an entry.
///
/// # Errors
/// An error for each secret of the backend that cannot be fetched. If all can, the reason why the backend cannot be
/// set up.
pub(crate) fn backend(
    entry: &config::BackendSection,
    outgoing: &Outgoing,
) -> Result<Backend, Vec<SetupError>> {
    let not_fetched = |(key, secret): (&'static str, &Secret)| {
        Some(SetupError::Secret { key, error: secret.fetch(1).err()? })
    };
    let errors: Vec<SetupError> = entry.secrets().filter_map(not_fetched).collect();
    if errors.is_empty() {
        Backend::from_config(entry, outgoing).map_err(|error| vec![error])
    } else {
        Err(errors)
    }
}

/// Logs the warnings about the secrets.
pub(super) fn warn(config: &Config) {
    for list in config.secret_lists() {
        for warning in list.secrets.iter().filter_map(Secret::warning) {
            tracing::warn!("{}: {warning}", list.key);
        }
    }
    if let Some(warning) = config.pagerduty.api.as_ref().and_then(|api| api.token.warning()) {
        tracing::warn!("{PAGERDUTY_TOKEN}: {warning}");
    }
    if let Some(warning) = config.store.password.as_ref().and_then(Secret::warning) {
        tracing::warn!("{STORE_PASSWORD}: {warning}");
    }
    for (key, warning) in config.deployment_tokens().filter_map(|(key, token)| Some((key, token.warning()?)))
    {
        tracing::warn!("{key}: {warning}");
    }
    for entry in &config.backend {
        for (key, warning) in entry.secrets().filter_map(|(key, secret)| Some((key, secret.warning()?))) {
            tracing::warn!("backend {:?}: {key}: {warning}", entry.name.get_ref());
        }
    }
}
