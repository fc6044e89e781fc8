//! Checks the backends: their entries, and whether they can be used.

use tokio::task::JoinHandle;

use super::item::{Finding, Item};
use crate::backend::{Backend, Outgoing, Probe, SetupError};
use crate::config::{BackendKind, BackendSection, BackendUrl, Config};
use crate::domain::forwarding::FailuresSent;
use crate::domain::timestamp::Timestamp;
use crate::run;

/// Begin of the warning that Datadog takes no failures after 2026-12-31: 2026-12-01T00:00:00Z.
const WARNED_FROM: Timestamp = Timestamp::from_nanos(1_796_083_200_000_000_000);

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
    /// Items of the backend at `now`, once it has answered: its state, and warnings of secrets that are stored in an unsafe
    /// way, and of failures that Datadog does not take any more.
    pub(super) async fn items(self, now: Timestamp) -> anyhow::Result<Vec<Item>> {
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
        items.extend(retirement(entry, now).map(|warning| Item::new(&name, Finding::Warn(warning))));
        Ok(items)
    }
}

/// Warning of a backend that sends failures to Datadog's DORA API. Another copy of this program goes on taking them.
fn retirement(entry: &BackendSection, now: Timestamp) -> Option<String> {
    let sends_failures =
        *entry.kind.get_ref() == BackendKind::Datadog && entry.failures_sent() != FailuresSent::None;
    (sends_failures && now >= WARNED_FROM && entry.url.datadog_api().is_some()).then(|| {
        "Datadog takes failures (incident events) until 2026-12-31 only. Set failures = false here, and show failures at \
         Datadog by the kind datadog-events or datadog-metrics. The page \"Datadog after December 2026\" says how. Packages \
         install it as /usr/share/doc/pagerduty-dora/docs/datadog-after-2026.md"
            .to_owned()
    })
}

fn finding(probe: Probe, url: &BackendUrl) -> Finding {
    match probe {
        Probe::Usable(text) => Finding::Ok(format!("{url} {text}")),
        Probe::Doubtful(text) => Finding::Warn(format!("{url} {text}")),
        Probe::Unusable(text) => Finding::Failed(format!("{url} {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_to_datadog_are_warned_about_from_december_on() {
        let warns = |url: &str, more: &str, now: &str| {
            let text = format!(
                "[[backend]]\nname = \"b\"\nkind = \"datadog\"\nurl = \"{url}\"\napi_key = {{ env = \"A\" }}\n{more}"
            );
            let warning =
                retirement(&Config::parse(&text).unwrap().backend[0], Timestamp::parse(now).unwrap());
            assert!(warning.as_ref().is_none_or(|warning| warning.contains("docs/datadog-after-2026.md")));
            warning.is_some()
        };
        let (datadog, december) = ("https://api.datadoghq.eu", "2026-12-01T00:00:00Z");
        assert!(!warns(datadog, "", "2026-11-30T23:59:59Z"));
        assert!(warns(datadog, "", december) && warns(datadog, "", "2027-06-01T00:00:00Z"));
        assert!(!warns(datadog, "failures = false\ndeployments = true\n", december));
        assert!(!warns("https://dora.example", "", december), "another copy of this program");
    }
}
