//! Checks the backends: their entries, and whether they can be used.

use tokio::task::JoinHandle;

use super::item::{Finding, Item};
use crate::backend::{Backend, Outgoing, Probe, SetupError};
use crate::config::{BackendSection, BackendUrl, Config};
use crate::run;

/// A backend whose entry was read, and which may have been asked.
pub(super) struct Asked<'a> {
    entry: &'a BackendSection,
    setup: Result<Option<JoinHandle<Probe>>, Vec<SetupError>>,
}

/// Sets up the backends, and asks all of them at once unless `is_offline`. Must be called within a Tokio runtime.
pub(super) fn ask(config: &Config, is_offline: bool) -> Vec<Asked<'_>> {
    // A mistake in `[outgoing]` has an item of its own. No backend is asked past the proxy that is configured.
    let (outgoing, is_offline) = match run::outgoing(config) {
        Ok(outgoing) => (outgoing, is_offline),
        Err(_) => (Outgoing::default(), true),
    };
    let ask_one =
        |backend: Backend| (!is_offline).then(|| tokio::spawn(async move { backend.probe().await }));
    let asked = |entry| Asked { entry, setup: run::backend(entry, &outgoing).map(ask_one) };
    config.backend.iter().map(asked).collect()
}

impl Asked<'_> {
    /// Items of the backend, once it has answered: its state, and warnings of secrets that are stored in an unsafe way.
    pub(super) async fn items(self) -> anyhow::Result<Vec<Item>> {
        let (entry, url) = (self.entry, &self.entry.url);
        let name = format!("backend {}", entry.name.get_ref().as_str());
        let mut items = match self.setup {
            Err(errors) => {
                errors.iter().map(|error| Item::new(&name, Finding::Wrong(error.to_string()))).collect()
            }
            Ok(None) => vec![Item::new(&name, Finding::Ok(format!("{url} (not contacted)")))],
            Ok(Some(probe)) => vec![Item::new(&name, finding(probe.await?, url))],
        };
        let warnings =
            entry.secrets().filter_map(|(key, secret)| Some(format!("{key}: {}", secret.warning()?)));
        items.extend(warnings.map(|warning| Item::new(&name, Finding::Warn(warning))));
        Ok(items)
    }
}

fn finding(probe: Probe, url: &BackendUrl) -> Finding {
    match probe {
        Probe::Usable(text) => Finding::Ok(format!("{url} {text}")),
        Probe::Doubtful(text) => Finding::Warn(format!("{url} {text}")),
        Probe::Unusable(text) => Finding::Failed(format!("{url} {text}")),
    }
}
