//! Metrics backends: the requests for failures and deployments, how they are sent, and how a backend is asked whether it
//! can be used.
//!
//! A new kind is one file here, one line in [`Backend::from_config`], and its name in `config::BackendKind`. A kind
//! that takes deployments has a second file, such as `datadog_deployment.rs`, and is in
//! `BackendKind::takes_deployments`.

mod answer;
mod body;
mod cdevents;
mod credentials;
mod datadog;
mod datadog_client;
mod datadog_deployment;
mod datadog_events;
pub mod datadog_listed;
pub mod datadog_lists;
mod datadog_mark;
mod datadog_metrics;
mod datadog_priority;
mod devlake;
mod devlake_deployment;
mod devlake_environment;
mod devlake_text;
mod http;
mod probe;
mod probe_request;
mod protocol;
mod setup;
mod text;

use self::credentials::Credentials;
use self::protocol::Protocol;
use crate::config::{self, BackendKind};
use crate::domain::deployment::Deployment;
use crate::domain::failure::Evaluated;
use crate::domain::forwarding::{
    Action, BackendFilter, Destination, FailuresSent, PreparedRequest, RevisionContext,
};
use crate::domain::id::DeploymentId;
use crate::domain::lane::Lane;
use crate::domain::mark::{MarkRequest, MarkTarget};
use crate::domain::mark_address::MarksBy;
pub use crate::http_client::{ClientError, Outgoing};

pub use self::probe::Probe;
pub use self::protocol::{Attempt, Reply};
pub use self::setup::SetupError;

/// A configured backend. It prepares requests, and later sends exactly the prepared bytes.
pub struct Backend {
    name: String,
    filter: BackendFilter,
    failures_sent: FailuresSent,
    forwards_deployments: bool,
    marks_by: Option<MarksBy>,
    concurrency: usize,
    protocol: Box<dyn Protocol>,
    credentials: Credentials,
}

impl Backend {
    /// The backend that an entry of the configuration describes. Its requests use the proxy and certificates of `outgoing`.
    pub fn from_config(entry: &config::BackendSection, outgoing: &Outgoing) -> Result<Self, SetupError> {
        let protocol: Box<dyn Protocol> = match entry.kind.get_ref() {
            BackendKind::Datadog => Box::new(datadog::Datadog::from_config(entry, outgoing)?),
            BackendKind::DatadogEvents => {
                Box::new(datadog_events::DatadogEvents::from_config(entry, outgoing)?)
            }
            BackendKind::DatadogMetrics => {
                Box::new(datadog_metrics::DatadogMetrics::from_config(entry, outgoing)?)
            }
            BackendKind::Devlake => Box::new(devlake::Devlake::from_config(entry, outgoing)?),
            BackendKind::Cdevents => Box::new(cdevents::Cdevents::from_config(entry, outgoing)?),
            BackendKind::Http => Box::new(http::Http::from_config(entry, outgoing)?),
        };
        Ok(Self {
            name: entry.name.get_ref().as_str().to_owned(),
            filter: entry.filter(),
            failures_sent: entry.failures_sent(),
            forwards_deployments: entry.forwards_deployments(),
            marks_by: entry.marks_by(),
            concurrency: entry.concurrency.get(),
            protocol,
            credentials: Credentials::of(entry)?,
        })
    }

    /// Sends a prepared request once. Credentials are removed from the error in the reply.
    pub async fn send(&self, attempt: Attempt) -> Reply {
        let reply = self.protocol.send(attempt).await;
        Reply { error: reply.error.map(|error| self.credentials.redact(&error)), ..reply }
    }

    /// Asks the backend whether it can be used, by requests that change nothing there.
    pub async fn probe(&self) -> Probe {
        self.protocol.probe(&self.credentials).await
    }

    /// Lanes of the backend, one for each credential.
    pub fn lanes(&self) -> &'static [Lane] {
        if self.protocol.needs_application_key() { Lane::ALL } else { &[Lane::Main] }
    }

    /// Number of attempts that may be under way at once.
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }
}

impl Destination for Backend {
    fn name(&self) -> &str {
        &self.name
    }

    fn filter(&self) -> &BackendFilter {
        &self.filter
    }

    fn failures_sent(&self) -> FailuresSent {
        self.failures_sent
    }

    fn prepare(&self, evaluated: &Evaluated, context: RevisionContext) -> PreparedRequest {
        self.protocol.prepare(evaluated, context)
    }

    fn lane(&self, action: Action) -> Lane {
        if action.needs_application_key() && self.protocol.needs_application_key() {
            Lane::ApplicationKey
        } else {
            Lane::Main
        }
    }

    fn replaces_whole(&self) -> bool {
        self.protocol.replaces_whole()
    }

    fn counts_each_request(&self) -> bool {
        self.protocol.counts_each_request()
    }

    fn forwards_deployments(&self) -> bool {
        self.forwards_deployments
    }

    fn prepare_deployment(
        &self,
        deployment: &Deployment,
        context: RevisionContext,
    ) -> Option<PreparedRequest> {
        self.protocol.prepare_deployment(deployment, context)
    }

    fn prepare_deployment_removal(&self, id: &DeploymentId) -> Option<PreparedRequest> {
        self.protocol.prepare_deployment_removal(id)
    }

    fn includes_cause(&self) -> bool {
        self.protocol.includes_cause()
    }

    fn marks_by(&self) -> Option<MarksBy> {
        self.marks_by
    }

    fn prepare_mark(&self, request: MarkRequest<'_>) -> Option<PreparedRequest> {
        self.protocol.prepare_mark(request)
    }

    fn mark_targets(&self, prepared: &PreparedRequest) -> Vec<MarkTarget> {
        self.protocol.mark_targets(prepared)
    }
}

#[cfg(test)]
mod limits;

#[cfg(test)]
pub(crate) mod tests {
    use super::probe::Probing;
    use super::protocol::Sending;
    use super::*;
    use crate::domain::forwarding::Action;

    struct Panics;

    impl Protocol for Panics {
        fn prepare(&self, _: &Evaluated, _: RevisionContext) -> PreparedRequest {
            PreparedRequest { action: Action::Replace, body: Vec::new() }
        }

        fn send(&self, _: Attempt) -> Sending<'_> {
            Box::pin(async { panic!("as no backend should") })
        }

        fn probe<'a>(&'a self, _: &'a Credentials) -> Probing<'a> {
            Box::pin(async { Probe::Usable(String::new()) })
        }
    }

    /// Backend whose attempts panic.
    pub(crate) fn that_panics() -> Backend {
        Backend {
            name: "panics".to_owned(),
            filter: BackendFilter::default(),
            concurrency: 4,
            failures_sent: FailuresSent::default(),
            forwards_deployments: false,
            marks_by: None,
            protocol: Box::new(Panics),
            credentials: Credentials::default(),
        }
    }
}
