//! `check`: finds mistakes that would stop the daemon or change its behaviour. Prints one line for each item.

mod item;
mod listeners;
mod store;

use anyhow::anyhow;
use clap::Args;

use self::item::{Finding, Item};
use self::store::StoreHolder;
use super::command_error::CommandError;
use super::runtime::runtime;
use super::table::print_out;
use crate::backend::SetupError;
use crate::catalog;
use crate::config::pagerduty_token::PAGERDUTY_TOKEN;
use crate::config::{self, Config, Problem, Secret};
use crate::run::{self};
use crate::store::is_in_use;

#[derive(Args)]
pub(super) struct CheckOptions {
    /// Send nothing to the backends; required in this version
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(options: &CheckOptions, config: &Config) -> Result<(), CommandError> {
    if !options.offline {
        return Err(CommandError::Usage(anyhow!(
            "this version cannot check the backends yet: use `check --offline`"
        )));
    }
    let mut items = vec![Item::new("configuration", Finding::Ok(place(config)))];
    let warnings = config.warnings();
    items.extend(
        warnings.iter().map(|warning| Item::new("configuration", Finding::Warn(warning.to_string()))),
    );
    items.extend(secrets(config));
    items.extend(catalog(config));
    let running = runtime()?.block_on(listeners::running(config));
    let holder = match is_in_use(&config.store.path) {
        false => StoreHolder::Nowhere,
        true if running.admin => StoreHolder::InOurDaemon,
        true => StoreHolder::OtherProcess,
    };
    items.extend(listeners::check(config, running, holder));
    items.extend(store::check(config, holder));
    items.extend(config.backend.iter().flat_map(backend));
    print_items(&items)
}

/// Prints the items.
///
/// # Errors
/// An item is wrong.
fn print_items(items: &[Item]) -> Result<(), CommandError> {
    let mut wrong = 0_usize;
    for Item { name, finding } in items {
        match finding {
            Finding::Ok(_) => print_out(format_args!("ok     {name}: {finding}")),
            Finding::Warn(_) => print_out(format_args!("warn   {name}: {finding}")),
            Finding::Wrong(_) => {
                wrong += 1;
                print_out(format_args!("wrong  {name}: {finding}"));
            }
        }
    }
    if wrong > 0 {
        return Err(CommandError::Usage(anyhow!("{wrong} of the items above must be fixed first")));
    }
    Ok(())
}

fn place(config: &Config) -> String {
    match &config.file {
        Some(file) => file.display().to_string(),
        None => "built-in defaults (no file found)".to_owned(),
    }
}

/// Checks the secrets of the public listener, and the token of PagerDuty's REST API.
fn secrets(config: &Config) -> Vec<Item> {
    let mut items = Vec::new();
    for list in config.secret_lists() {
        items.extend(list.missing().map(|missing| Item::new(list.key, Finding::Wrong(missing.to_owned()))));
        items.extend(list.secrets.iter().flat_map(|one| secret(list.key, one, list.min_bytes)));
    }
    items.extend(config.pagerduty.api.iter().flat_map(|api| secret(PAGERDUTY_TOKEN, &api.token, 1)));
    items
}

/// Checks a secret, and warns if it is stored in an unsafe way.
fn secret(key: &str, secret: &Secret, min_bytes: usize) -> Vec<Item> {
    let fetched = secret.fetch(min_bytes).map(|_| secret.to_string()).map_err(|error| error.to_string());
    let mut items = vec![Item::tried(key, fetched)];
    items.extend(secret.warning().map(|warning| Item::new(key, Finding::Warn(warning))));
    items
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
    // The name of the item is the key already.
    let key = format!("{KEY}: ");
    let warning =
        |problem: &Problem| Item::new(KEY, Finding::Warn(problem.to_string().replacen(&key, "", 1)));
    items.extend(loaded.warnings.iter().map(warning));
    items
}

/// Checks a backend, and warns of secrets that are stored in an unsafe way.
fn backend(entry: &config::BackendSection) -> Vec<Item> {
    let name = format!("backend {}", entry.name.get_ref().as_str());
    let wrong = |error: &SetupError| Item::new(&name, Finding::Wrong(error.to_string()));
    let mut items = match run::backend(entry) {
        Ok(_) => vec![Item::new(&name, Finding::Ok(format!("{} (not contacted)", entry.url)))],
        Err(errors) => errors.iter().map(wrong).collect(),
    };
    let warnings = entry.secrets().filter_map(|(key, secret)| Some(format!("{key}: {}", secret.warning()?)));
    items.extend(warnings.map(|warning| Item::new(&name, Finding::Warn(warning))));
    items
}
