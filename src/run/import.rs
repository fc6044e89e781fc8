//! Wiring of imports, for the daemon and for the command.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::backfill::on_thread;
use super::secrets::outgoing;
use crate::backend::datadog_lists::DatadogLists;
use crate::clock::Clock;
use crate::config::{BackendKind, BackendSection, Config, Problem};
use crate::domain::policy::Policy;
use crate::http::DoImport;
use crate::reconcile::Import;
use crate::store::Store;

/// The backends that list what they hold: those of kind `datadog` with an application key.
pub(crate) fn listing_backends(config: &Config) -> impl Iterator<Item = &BackendSection> {
    let lists = |entry: &&BackendSection| {
        *entry.kind.get_ref() == BackendKind::Datadog && entry.application_key.is_some()
    };
    config.backend.iter().filter(lists)
}

/// An import from a backend.
///
/// # Errors
/// The keys of the backend cannot be used.
pub(crate) fn import(
    config: &Config,
    entry: &BackendSection,
    policy: &Arc<Policy>,
    store: Store,
    clock: Arc<dyn Clock>,
) -> Result<Import, Problem> {
    let lists = DatadogLists::from_config(entry, &outgoing(config)?)
        .map_err(|error| config.problem_with_backend(entry, &error))?;
    let backend = entry.name.get_ref().as_str().to_owned();
    Ok(Import::new((backend, lists), store, clock, Arc::clone(policy)))
}

/// The steps of an import from each backend that lists what it holds, for the admin listener.
///
/// A backend whose keys cannot be used any more has none. The daemon did not start, or was not reloaded, with such keys.
pub(super) fn steps(
    config: &Config,
    policy: &Arc<Policy>,
    (store, clock): (&Store, &Arc<dyn Clock>),
    (thread, stop): (&Handle, &watch::Receiver<bool>),
) -> BTreeMap<String, DoImport> {
    let of_entry = |entry: &BackendSection| {
        let import = import(config, entry, policy, store.clone(), Arc::clone(clock));
        let import = match import {
            Ok(import) => Arc::new(import),
            Err(problem) => {
                tracing::warn!("{problem}");
                return None;
            }
        };
        let work = move |order| {
            let import = Arc::clone(&import);
            async move { import.step(order).await }
        };
        let name = entry.name.get_ref().as_str().to_owned();
        Some((name, on_thread(work, thread.clone(), stop.clone())))
    };
    listing_backends(config).filter_map(of_entry).collect()
}
