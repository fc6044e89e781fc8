//! Log of the reading of deployments: a line for each reading that found something, for the first of several that failed
//! in the same way, and for repositories that cannot be read.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};

use super::deployments_reading::{DeploymentsError, DeploymentsReading};
use crate::sources::deployment_api::ApiProblem;

/// State of the log lines.
#[derive(Debug)]
pub(super) struct DeploymentsLog {
    /// Name of the source: `GitHub`.
    title: &'static str,
    /// Kind of the last failure, if the last reading failed.
    failed: Option<Kind>,
    /// Repositories that could not be read.
    unreadable: BTreeMap<String, String>,
    /// Records that were left out.
    left_out: BTreeSet<String>,
}

/// Kind of a failure. `None`: not one of the API.
type Kind = Option<Discriminant<ApiProblem>>;

fn kind(error: &DeploymentsError) -> Kind {
    match error {
        DeploymentsError::Api(error) => Some(discriminant(&error.problem)),
        _ => None,
    }
}

impl DeploymentsLog {
    /// A log before the first reading.
    pub(super) const fn of(title: &'static str) -> Self {
        Self { title, failed: None, unreadable: BTreeMap::new(), left_out: BTreeSet::new() }
    }

    /// Logs a reading.
    pub(super) fn note(&mut self, result: &Result<DeploymentsReading, DeploymentsError>) {
        let title = self.title;
        match result {
            Ok(reading) => {
                if self.failed.take().is_some() {
                    tracing::info!("{title}'s API answers again");
                }
                self.note_repairs(reading);
                self.note_unreadable(reading);
                self.note_left_out(reading);
            }
            Err(error) if self.failed.replace(kind(error)) != Some(kind(error)) => {
                tracing::warn!(
                    %error,
                    "deployments could not be read from {title}'s API: webhooks that were lost are not repaired until it \
                     answers. The next attempt follows by itself"
                );
            }
            Err(error) => tracing::debug!(%error, "{title}'s API still cannot be read"),
        }
    }

    fn note_repairs(&self, reading: &DeploymentsReading) {
        let (title, DeploymentsReading { repositories, events, .. }) = (self.title, reading);
        if *events > 0 {
            tracing::info!(
                repositories,
                events,
                "{title}'s API told of {events} events about deployments that no webhook has told. `pagerduty-dora explain` \
                 marks these events"
            );
        }
    }

    fn note_unreadable(&mut self, reading: &DeploymentsReading) {
        let is_new = |(name, _): &(&String, _)| !self.unreadable.contains_key(*name);
        let (new, errors): (Vec<&str>, Vec<&String>) =
            reading.unreadable.iter().filter(is_new).map(|(name, error)| (name.as_str(), error)).unzip();
        if let Some(error) = errors.first() {
            let title = self.title;
            tracing::warn!(
                repositories = new.join(", "),
                error,
                "repositories cannot be read from {title}'s API: their lost webhooks are not repaired. Those of the other ones \
                 are. The error is that of the first"
            );
        }
        self.unreadable.clone_from(&reading.unreadable);
    }

    fn note_left_out(&mut self, reading: &DeploymentsReading) {
        let new: Vec<&String> = reading.left_out.difference(&self.left_out).collect();
        if let Some(first) = new.first() {
            let title = self.title;
            tracing::warn!(
                records = new.len(),
                first,
                "records of {title}'s API were not understood and are left out. The others are read"
            );
        }
        self.left_out.clone_from(&reading.left_out);
    }
}
