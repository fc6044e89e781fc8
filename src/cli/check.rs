//! `check`: what would keep the daemon from running, one line an item.

use anyhow::anyhow;
use clap::Args;

use super::Failed;
use super::table::{say, tell};
use crate::backend::Backend;
use crate::catalog;
use crate::config::{Config, Secret};
use crate::run::SHORTEST_SIGNING_SECRET_BYTES;
use crate::store::{OpenError, Reader};

#[derive(Args)]
pub(super) struct Options {
    /// Ask nothing of the backends; for now, this is required
    #[arg(long)]
    offline: bool,
}

/// What was looked at, and what is wrong with it.
type Item = (String, Result<String, String>);

pub(super) fn run(options: &Options, config: &Config) -> Result<(), Failed> {
    if !options.offline {
        return Err(Failed::Usage(anyhow!(
            "this version does not ask the backends yet: use `check --offline`"
        )));
    }
    let mut items: Vec<Item> = vec![("configuration".to_owned(), Ok(place(config)))];
    let signing = &config.pagerduty.signing_secrets;
    if signing.is_empty() {
        items.push(("pagerduty.signing_secrets".to_owned(), Err("at least one is needed".to_owned())));
    }
    let of_pagerduty =
        signing.iter().map(|s| secret("pagerduty.signing_secrets", s, SHORTEST_SIGNING_SECRET_BYTES));
    items.extend(of_pagerduty);
    items.extend(config.events_api.keys.iter().map(|key| secret("events_api.keys", key, 1)));
    items.push(catalog(config));
    items.push(store(config));
    items.extend(config.backend.iter().map(|entry| {
        let name = format!("backend {}", entry.name.get_ref().as_str());
        let set_up = Backend::from_config(entry).map(|_| format!("{} (not asked)", entry.url));
        (name, set_up.map_err(|error| error.to_string()))
    }));
    let wrong = items.iter().filter(|(_, found)| found.is_err()).count();
    for (item, found) in items {
        match found {
            Ok(detail) => say(format_args!("ok     {item}: {detail}")),
            Err(detail) => say(format_args!("wrong  {item}: {detail}")),
        }
    }
    if wrong > 0 {
        return Err(Failed::Usage(anyhow!("{wrong} of the items above must be mended first")));
    }
    Ok(())
}

fn place(config: &Config) -> String {
    match &config.file {
        Some(file) => file.display().to_string(),
        None => "built-in defaults (no file found)".to_owned(),
    }
}

fn secret(key: &str, secret: &Secret, min: usize) -> Item {
    if let Some(warning) = secret.warning() {
        tell(format_args!("warning: {key}: {warning}"));
    }
    let found = secret.fetch(min).map(|_| secret.to_string()).map_err(|error| error.to_string());
    (key.to_owned(), found)
}

fn catalog(config: &Config) -> Item {
    let found = catalog::load(config).map(|catalog| match catalog.len() {
        0 => "no entities".to_owned(),
        1 => "1 entity".to_owned(),
        n => format!("{n} entities"),
    });
    ("failure.catalog".to_owned(), found.map_err(|problem| problem.to_string()))
}

fn store(config: &Config) -> Item {
    let path = &config.store.path;
    let shown = path.display();
    let found = match Reader::open(path, config.dora.link_window.get()) {
        Ok(_) => Ok(shown.to_string()),
        Err(OpenError::Empty { .. }) => Ok(format!("{shown} (will be set up)")),
        Err(OpenError::Missing { .. }) => match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                Err(format!("the folder {} does not exist", folder.display()))
            }
            _ => Ok(format!("{shown} (will be created)")),
        },
        Err(error) => Err(error.to_string()),
    };
    ("store".to_owned(), found)
}
