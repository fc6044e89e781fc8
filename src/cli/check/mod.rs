//! `check`: finds mistakes that would stop the daemon or change its behaviour, and asks PagerDuty, GitHub,
//! GitLab and the backends.
//! Prints one line for each item.

mod backends;
mod database;
mod deployment_apis;
mod item;
mod listeners;
mod pagerduty;
mod store;

use anyhow::anyhow;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use self::item::{Finding, Item};
use self::listeners::RunningListeners;
use self::store::StoreHolder;
use super::command_error::CommandError;
use super::credentials::Credentials;
use super::runtime::runtime;
use super::table::print_out;
use crate::catalog;
use crate::clock::{Clock as _, SystemClock};
use crate::config::deployment_api::{GITHUB_TOKEN, GITLAB_TOKEN};
use crate::config::listener_secrets::GITLAB_TOKENS;
use crate::config::pagerduty_token::PAGERDUTY_TOKEN;
use crate::config::store::STORE_PASSWORD;
use crate::config::{Config, Problem, Secret, SecretError, signing_key};
use crate::domain::printable::printable;
use crate::http::expires_soon;
use crate::run::{self, rest_client};
use crate::store::{StoreAddress, is_in_use};

#[derive(Args)]
pub(super) struct CheckOptions {
    /// Do not ask PagerDuty, GitHub, GitLab and the backends
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    credentials: Credentials,
}

pub(super) fn run(options: &CheckOptions, config: &Config) -> Result<(), CommandError> {
    let config = &options.credentials.in_config(config);
    let mut items = vec![Item::new("configuration", Finding::Ok(place(config)))];
    let warnings = config.warnings();
    items.extend(
        warnings.iter().map(|warning| Item::new("configuration", Finding::Warn(warning.to_string()))),
    );
    items.extend(secrets(config));
    items.extend(certificate(config));
    items.extend(outgoing(config));
    items.extend(catalog(config));
    let runtime = runtime()?;
    let running = runtime.block_on(listeners::running(config));
    items.extend(store_and_listeners(config, running, options));
    items.extend(runtime.block_on(others(config, options.offline))?);
    print_items(&items)
}

/// Checks the store, and the listeners: whether an address that is taken is taken by the daemon of this store.
fn store_and_listeners(config: &Config, running: RunningListeners, options: &CheckOptions) -> Vec<Item> {
    let address = match run::store_of_command(config) {
        Ok(address) => address,
        Err(problem) => {
            // The check of the secrets reports a password that cannot be read.
            let is_known = config.fetch_store_password().is_err();
            let wrong = || Item::new("store", Finding::Wrong(without_key(&problem, "store")));
            let items = listeners::check(config, running, StoreHolder::Nowhere);
            return items.into_iter().chain((!is_known).then(wrong)).collect();
        }
    };
    let holder = match address.file().map(is_in_use) {
        // Replicas share a database, so nobody holds it alone. The daemon that answers is one of them.
        Some(true) | None if running.admin => StoreHolder::InOurDaemon,
        Some(true) => StoreHolder::OtherProcess,
        Some(false) | None => StoreHolder::Nowhere,
    };
    let mut items = listeners::check(config, running, holder);
    items.extend(match address {
        StoreAddress::File(path) => store::check(&path, holder, options.credentials.systemd),
        StoreAddress::Postgres(address) => database::check(&address),
    });
    items
}

/// Asks PagerDuty, GitHub, GitLab and all backends at once, unless `is_offline`. The items are in the order of the configuration.
async fn others(config: &Config, is_offline: bool) -> anyhow::Result<Vec<Item>> {
    let backends = backends::ask(config, is_offline);
    let mut items = Vec::new();
    if !is_offline {
        let (pagerduty, deployments) = tokio::join!(pagerduty::check(config), deployment_apis::check(config));
        items.extend(pagerduty.into_iter().chain(deployments));
    }
    for backend in backends {
        items.extend(backend.items(SystemClock.now()).await?);
    }
    Ok(items)
}

/// Prints the items.
///
/// # Errors
/// An item is wrong or has failed.
fn print_items(items: &[Item]) -> Result<(), CommandError> {
    let (mut wrong, mut failed) = (0_usize, 0_usize);
    for Item { name, finding } in items {
        let mark = match finding {
            Finding::Ok(_) => "ok",
            Finding::Warn(_) => "warn",
            Finding::Failed(_) => {
                failed += 1;
                "failed"
            }
            Finding::Wrong(_) => {
                wrong += 1;
                "wrong"
            }
        };
        print_out(printable(&format!("{mark:<6} {name}: {finding}")));
    }
    if wrong > 0 {
        return Err(CommandError::Usage(anyhow!("{wrong} of the items above must be fixed first")));
    }
    if failed > 0 {
        return Err(CommandError::Failed(anyhow!(
            "{failed} of the items above failed; each says what to do"
        )));
    }
    Ok(())
}

fn place(config: &Config) -> String {
    match &config.file {
        Some(file) => file.display().to_string(),
        None => "built-in defaults (no file found)".to_owned(),
    }
}

/// Checks the secrets of the public listener, and the tokens of the APIs.
fn secrets(config: &Config) -> Vec<Item> {
    let mut items = Vec::new();
    for list in config.secret_lists() {
        items.extend(list.missing().map(|missing| Item::new(list.key, Finding::Wrong(missing.to_owned()))));
        items.extend(list.secrets.iter().flat_map(|one| secret(list.key, one, list.fetch(one))));
        if list.key == GITLAB_TOKENS {
            items.extend(
                list.secrets.iter().filter_map(|one| signing_token_among_tokens(one, &list.fetch(one).ok()?)),
            );
        }
    }
    if let Some(api) = &config.pagerduty.api {
        items.extend(secret(PAGERDUTY_TOKEN, &api.token, api.token.fetch(1)));
        // Other errors are those of the secret.
        let client = run::outgoing(config).and_then(|outgoing| rest_client(config, &outgoing));
        let cannot_be_used = client.err().filter(|_| api.token.fetch(1).is_ok());
        items.extend(cannot_be_used.map(|problem| {
            Item::new(PAGERDUTY_TOKEN, Finding::Wrong(without_key(&problem, PAGERDUTY_TOKEN)))
        }));
    }
    if let Some(password) = &config.store.password {
        items.extend(secret(STORE_PASSWORD, password, password.fetch(1)));
    }
    items.extend(config.deployment_tokens().flat_map(|(key, token)| secret(key, token, token.fetch(1))));
    let unusable = |outgoing| {
        let github = run::github_api(config, outgoing).err().map(|problem| (GITHUB_TOKEN, problem));
        let gitlab = run::gitlab_api(config, outgoing).err().map(|problem| (GITLAB_TOKEN, problem));
        github.into_iter().chain(gitlab)
    };
    let unusable = run::outgoing(config).iter().flat_map(unusable).collect::<Vec<_>>();
    let unusable = unusable.iter().filter(|(key, _)| config.fetch_deployment_token(key).is_ok());
    items.extend(unusable.map(|(key, problem)| Item::new(*key, Finding::Wrong(without_key(problem, key)))));
    items
}

/// Warning about a signing token of GitLab where its secret tokens belong. Its signed webhooks are all refused.
fn signing_token_among_tokens(secret: &Secret, value: &SecretString) -> Option<Item> {
    signing_key(value.expose_secret())?;
    let warning = format!("{secret} has a signing token (whsec_…): it belongs in gitlab.signing_secrets");
    Some(Item::new(GITLAB_TOKENS, Finding::Warn(warning)))
}

/// Checks a secret, and warns if it is stored in an unsafe way.
fn secret(key: &str, secret: &Secret, fetched: Result<SecretString, SecretError>) -> Vec<Item> {
    let fetched = fetched.map(|_| secret.to_string()).map_err(|error| error.to_string());
    let mut items = vec![Item::tried(key, fetched)];
    items.extend(secret.warning().map(|warning| Item::new(key, Finding::Warn(warning))));
    items
}

/// Text of a problem in an item whose name is the key already.
fn without_key(problem: &Problem, key: &str) -> String {
    problem.to_string().replacen(&format!("{key}: "), "", 1)
}

/// Checks the certificate of the public listener.
fn certificate(config: &Config) -> Vec<Item> {
    const KEY: &str = "server.tls";
    let Some(section) = &config.server.tls else { return Vec::new() };
    let loaded = match run::tls(config) {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return Vec::new(),
        Err(problem) => return vec![Item::new(KEY, Finding::Wrong(problem.to_string()))],
    };
    let file = section.certificate.display();
    let (now, expires_at) = (SystemClock.now(), loaded.expires_at);
    let renew = "put a new one in place, and reload the configuration";
    let finding = if now >= expires_at {
        Finding::Failed(format!("the certificate in {file} expired at {expires_at}: {renew}"))
    } else if expires_soon(expires_at, now) {
        Finding::Warn(format!("the certificate in {file} expires at {expires_at}: {renew}"))
    } else {
        Finding::Ok(format!("{file}, valid until {expires_at}"))
    };
    let mut items = vec![Item::new(KEY, finding)];
    let key = Secret::File { file: section.key.clone() };
    items.extend(key.warning().map(|warning| Item::new(KEY, Finding::Warn(warning))));
    items
}

/// Checks `[outgoing]`.
fn outgoing(config: &Config) -> Vec<Item> {
    const KEY: &str = "outgoing";
    let section = &config.outgoing;
    if let Err(problem) = run::outgoing(config) {
        return vec![Item::new(KEY, Finding::Wrong(problem.to_string()))];
    }
    let proxy = section.proxy.as_ref().map(|proxy| format!("through the proxy {proxy}"));
    let trusted = section.certificate_authority.as_ref();
    let trusted =
        trusted.map(|file| format!("trusting the certificates in {} besides the system's", file.display()));
    let settings: Vec<String> = proxy.into_iter().chain(trusted).collect();
    if settings.is_empty() { Vec::new() } else { vec![Item::new(KEY, Finding::Ok(settings.join(", ")))] }
}

fn catalog(config: &Config) -> Vec<Item> {
    const KEY: &str = "failure.catalog";
    let loaded = match catalog::load(config) {
        Ok(loaded) => loaded,
        Err(problem) => return vec![Item::new(KEY, Finding::Wrong(problem.to_string()))],
    };
    let found = match loaded.catalog.len() {
        0 => "no entities".to_owned(),
        1 => "1 entity".to_owned(),
        n => format!("{n} entities"),
    };
    let mut items = vec![Item::new(KEY, Finding::Ok(found))];
    let warning = |problem: &Problem| Item::new(KEY, Finding::Warn(without_key(problem, KEY)));
    items.extend(loaded.warnings.iter().map(warning));
    items
}
