//! Asks the APIs that deployments are read from about their tokens. Changes nothing there.

use super::item::{Finding, Item};
use crate::config::Config;
use crate::domain::repository_address::name_on;
use crate::run::{github_api, outgoing};
use crate::sources::deployment_api::DeploymentApi;
use crate::sources::github;

/// Asks each API that is configured.
pub(super) async fn check(config: &Config) -> Vec<Item> {
    // The check of the secrets reports a token that cannot be sent.
    let Ok(Some(api)) = outgoing(config).and_then(|outgoing| github_api(config, &outgoing)) else {
        return Vec::new();
    };
    let named = config.repositories_in_tables(github::SOURCE.name.as_str()).into_iter();
    let of_services = config.repositories_of_services();
    let of_services = of_services.iter().filter_map(|address| name_on(address, api.host()));
    let repository = named.chain(of_services).next();
    let finding = match (api.probe(repository.as_deref()).await, repository) {
        (Ok(()), Some(repository)) => Finding::Ok(format!("it may read the deployments of {repository}")),
        (Ok(()), None) => Finding::Ok(
            "GitHub accepts it. Not tested: the right \"Deployments: read\", because the configuration names no repository"
                .to_owned(),
        ),
        (Err(error), _) => Finding::Failed(error.to_string()),
    };
    vec![Item::new("GitHub token", finding)]
}
