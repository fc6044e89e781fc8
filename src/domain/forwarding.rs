//! Interface between the store and a backend: the backend's name and filter, and the requests for failures and
//! deployments.

use std::borrow::Cow;
use std::sync::Arc;
use strum::VariantArray as _;

use super::deployment::Deployment;
use super::failure::{Evaluated, Failure, FailureState};
use super::id::DeploymentId;
use super::lane::Lane;
use super::mark::{MarkRequest, MarkTarget};
use super::mark_address::MarksBy;

/// Failure or deployment that a request is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The failure with this id.
    Failure(String),
    /// The deployment with this id.
    Deployment(String),
}

impl Subject {
    /// Its id.
    pub fn id(&self) -> &str {
        let (Self::Failure(id) | Self::Deployment(id)) = self;
        id
    }
}

/// A request that is ready to be sent. Every attempt sends the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedRequest {
    /// Action of the request at the backend.
    pub action: Action,
    /// Content of the request. Only the code of the backend's kind reads it.
    pub body: Vec<u8>,
}

/// Action of a request at the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    /// Sends the whole failure or deployment as it is now.
    Replace,
    /// Deletes a failure that does not count any more, or a deployment that the filter leaves out now.
    Delete,
    /// The backend has an older state, and has no way to take the correction. A failure is sent without an end, or not
    /// at all. A deployment is not sent.
    #[strum(serialize = "leave_open")]
    CannotCorrect,
    /// Marks the deployment as failed.
    Mark,
    /// Removes the mark.
    Unmark,
}

impl Action {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word for it in the store.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// `true` if the action may need Datadog's application key.
    pub const fn needs_application_key(self) -> bool {
        matches!(self, Self::Delete | Self::Mark | Self::Unmark)
    }
}

/// Filter of the failures and deployments that are sent to a backend. Each key has to match, by any of its values. An
/// empty list matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendFilter {
    /// Services that pass.
    pub services: Vec<String>,
    /// Teams that pass.
    pub teams: Vec<String>,
    /// Envs that pass.
    pub envs: Vec<String>,
}

impl BackendFilter {
    /// `true` if the failure is sent to the backend.
    pub fn passes(&self, failure: &Failure) -> bool {
        self.passes_all(&failure.services, failure.team.as_ref(), &failure.env)
    }

    /// `true` if the deployment and its mark are sent to the backend.
    pub fn passes_deployment(&self, deployment: &Deployment) -> bool {
        let service = std::slice::from_ref(&deployment.service);
        self.passes_all(service, deployment.team.as_ref(), &deployment.env)
    }

    fn passes_all(&self, services: &[String], team: Option<&String>, env: &String) -> bool {
        self.passes_services(services) && self.passes_team(team) && self.passes_env(env)
    }

    /// `true` if `services` is empty or names one of these.
    pub fn passes_services(&self, services: &[String]) -> bool {
        self.services.is_empty() || services.iter().any(|service| self.services.contains(service))
    }

    /// `true` if `teams` is empty or names this one.
    pub fn passes_team(&self, team: Option<&String>) -> bool {
        self.teams.is_empty() || team.is_some_and(|team| self.teams.contains(team))
    }

    /// `true` if `envs` is empty or names this one.
    pub fn passes_env(&self, env: &String) -> bool {
        self.envs.is_empty() || self.envs.contains(env)
    }
}

/// States in which a failure is sent to a backend for the first time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FailuresSent {
    /// No failures are sent, nor their changes.
    None,
    /// Once they are completed.
    #[default]
    Completed,
    /// Sent as soon as failures are known, and again once they are completed.
    OpenToo,
}

impl FailuresSent {
    /// `true` if a failure in this state is sent to a backend that does not have it.
    pub const fn includes(self, state: FailureState) -> bool {
        match state {
            FailureState::Completed => !matches!(self, Self::None),
            FailureState::Open => matches!(self, Self::OpenToo),
            FailureState::Ignored | FailureState::Merged => false,
        }
    }
}

/// A configured backend, and its filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendEntry {
    /// Its name.
    pub name: String,
    /// Filter of the failures and deployments that are sent to it.
    pub filter: BackendFilter,
    /// Failures that are sent to it.
    pub failures: FailuresSent,
    /// `true` if deployments are sent to it.
    pub deployments: bool,
    /// Way in which marks are sent to it. `None`: they are not sent.
    pub marks_by: Option<MarksBy>,
}

/// A backend, as the code that writes the outbox sees it.
pub trait Destination: Send + Sync {
    /// Name of the backend in its outbox rows.
    fn name(&self) -> &str;

    /// Filter of the failures and deployments that are sent to the backend.
    fn filter(&self) -> &BackendFilter;

    /// Credential that requests with this action need.
    fn lane(&self, action: Action) -> Lane;

    /// `true` if a request replaces the whole failure or deployment at the backend. Then the same request can be sent
    /// again without any effect, and an older request that arrives late undoes a newer one.
    fn replaces_whole(&self) -> bool;

    /// `true` if the backend counts a request once more each time it gets it. Then nothing may be told again.
    fn counts_each_request(&self) -> bool;

    /// Failures that are sent to the backend.
    fn failures_sent(&self) -> FailuresSent;

    /// Prepares the request for the present state of a failure: with its end if it is completed, without an end if it
    /// is open, and a deletion or correction if it does not count (any more).
    fn prepare(&self, evaluated: &Evaluated, context: RevisionContext) -> PreparedRequest;

    /// `true` if deployments are sent to the backend.
    fn forwards_deployments(&self) -> bool;

    /// Prepares the request for a deployment. `None` if the backend cannot take a deployment like this.
    fn prepare_deployment(
        &self,
        deployment: &Deployment,
        context: RevisionContext,
    ) -> Option<PreparedRequest>;

    /// Prepares the request that deletes a deployment. `None` if the backend cannot delete deployments.
    fn prepare_deployment_removal(&self, id: &DeploymentId) -> Option<PreparedRequest>;

    /// `true` if a failure's request contains the deployment that caused it.
    fn includes_cause(&self) -> bool;

    /// Way in which marks of failed deployments are sent to the backend. `None`: they are not sent.
    fn marks_by(&self) -> Option<MarksBy>;

    /// `true` if marks of failed deployments are sent to the backend.
    fn forwards_marks(&self) -> bool {
        self.marks_by().is_some()
    }

    /// Prepares the request that marks a deployment as failed, or (without a `mark`) removes the mark. `None` if the
    /// backend has no marks.
    fn prepare_mark(&self, request: MarkRequest<'_>) -> Option<PreparedRequest>;

    /// The deployments that a request about a mark names, in the order of sending. The last one is the one that the mark
    /// is about.
    fn mark_targets(&self, prepared: &PreparedRequest) -> Vec<MarkTarget>;
}

/// Revision that a request is prepared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevisionContext {
    /// Number of the revision.
    pub revision: i64,
    /// `true` if the backend may have an earlier revision.
    pub is_correction: bool,
}

/// The backends that get a copy of every failure (and deployment) that passes their filter.
pub type Destinations = Vec<Arc<dyn Destination>>;

/// Reason of a failure that does not pass a backend's filter (any more).
const FILTERED: &str = "not of this backend's services, teams and envs";

/// Failure as it is sent to a backend with this filter. If it does not pass the filter, its state becomes `Ignored`.
pub fn filtered<'a>(filter: &BackendFilter, evaluated: &'a Evaluated) -> Cow<'a, Evaluated> {
    if filter.passes(&evaluated.failure) {
        return Cow::Borrowed(evaluated);
    }
    let mut seen = evaluated.clone();
    seen.failure.state = FailureState::Ignored;
    seen.failure.reason = Some(FILTERED.to_owned());
    Cow::Owned(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests::deployment;
    use crate::domain::failure::tests::completed;

    #[test]
    fn a_filter_needs_all_its_keys_and_any_value_of_each() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let evaluated = completed();
        let passes = |services: &[&str], teams: &[&str], envs: &[&str]| {
            let filter = BackendFilter { services: names(services), teams: names(teams), envs: names(envs) };
            let seen = filtered(&filter, &evaluated).failure.state;
            assert_eq!(filter.passes(&evaluated.failure), seen == FailureState::Completed);
            let deployment = deployment("1", "checkout", "10:00", "10:10");
            assert_eq!(filter.passes_deployment(&deployment), seen == FailureState::Completed);
            seen == FailureState::Completed
        };
        assert!(passes(&[], &[], &[]));
        assert!(passes(&["search", "checkout"], &["payments"], &["production"]));
        assert!(!passes(&["search"], &[], &[]));
        assert!(!passes(&["checkout"], &["storefront"], &[]));
        assert!(!passes(&["checkout"], &["payments"], &["staging"]));
    }
}
