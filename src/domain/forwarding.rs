//! Interface between the store and a backend: the backend's name, and the requests that tell it of failures and
//! deployments.

use std::borrow::Cow;
use std::sync::Arc;

use super::deployment::Deployment;
use super::failure::{Evaluated, Failure, FailureState};
use super::id::DeploymentId;
use super::lane::Lane;
use super::mark::Mark;

/// Failure or deployment that a backend is told of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The failure with this id.
    Failure(String),
    /// The deployment with this id.
    Deployment(String),
}

impl Subject {
    /// Its id, for people.
    pub fn id(&self) -> &str {
        let (Self::Failure(id) | Self::Deployment(id)) = self;
        id
    }
}

/// A request, as it will be sent however often that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedRequest {
    /// Action of the request at the backend.
    pub action: Action,
    /// Its bytes, which only the backend reads.
    pub body: Vec<u8>,
}

/// Action of a request at the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The failure, or the deployment, is shown whole, as it stands.
    Replace,
    /// The failure does not count, and is deleted; the deployment is none of the backend's business any more.
    Delete,
    /// The failure is another than the backend was told, and it has no way to take that: it is shown without an end,
    /// or not told of at all. The same of a deployment.
    CannotCorrect,
    /// The deployment is marked as one that failed.
    Mark,
    /// Takes the mark back.
    Unmark,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Replace, Self::Delete, Self::CannotCorrect, Self::Mark, Self::Unmark];

    /// The word for it in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::CannotCorrect => "leave_open",
            Self::Mark => "mark",
            Self::Unmark => "unmark",
        }
    }
}

impl Action {
    /// `true` if it may need more than the usual credentials.
    pub const fn needs_application_key(self) -> bool {
        matches!(self, Self::Delete | Self::Mark | Self::Unmark)
    }
}

/// Filter of the failures and deployments that a backend is told of. Keys AND, lists OR; an empty list asks for
/// nothing.
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
    /// `true` if the backend is told of the failure.
    pub fn passes(&self, failure: &Failure) -> bool {
        self.passes_all(&failure.services, failure.team.as_ref(), &failure.env)
    }

    /// `true` if the backend is told of the deployment, and of its mark.
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

/// A configured backend, and its filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Its name.
    pub name: String,
    /// Which failures and deployments it is told of.
    pub filter: BackendFilter,
}

/// A backend, as far as writing the outbox goes.
pub trait Destination: Send + Sync {
    /// The name that the outbox keeps its rows under.
    fn name(&self) -> &str;

    /// Filter of the failures and deployments that it is told of.
    fn filter(&self) -> &BackendFilter;

    /// The credential that a request of this kind needs.
    fn lane(&self, action: Action) -> Lane;

    /// `true` if a request replaces everything that the backend knew of its subject. The same request can then be
    /// sent again without any effect, and an older one that arrives late undoes a newer one.
    fn replaces_whole(&self) -> bool;

    /// The exact request that tells the backend of this failure as it stands: with its end where it is
    /// completed, without one where it is open, and taken back where it does not count (any more).
    fn prepare(&self, evaluated: &Evaluated, context: RevisionContext) -> PreparedRequest;

    /// `true` if it is told of deployments.
    fn takes_deployments(&self) -> bool;

    /// The exact request that tells the backend of this deployment. `None`: it cannot be told of one like this.
    fn prepare_deployment(
        &self,
        deployment: &Deployment,
        context: RevisionContext,
    ) -> Option<PreparedRequest>;

    /// The exact request that takes a deployment back. `None`: the backend has no way to.
    fn prepare_deployment_removal(&self, id: &DeploymentId) -> Option<PreparedRequest>;

    /// `true` if it is told which deployment a failure is linked to.
    fn includes_links(&self) -> bool;

    /// `true` if it is told which deployments failed.
    fn takes_marks(&self) -> bool;

    /// The exact request that marks a deployment as failed, or (without a `mark`) takes that back. `None`: the backend
    /// has no marks.
    fn prepare_mark(&self, id: &DeploymentId, mark: Option<&Mark>) -> Option<PreparedRequest>;
}

/// Revision that a request is frozen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevisionContext {
    /// The revision that it tells of.
    pub revision: i64,
    /// `true` if the backend may know an earlier revision.
    pub is_correction: bool,
}

/// The backends that get a copy of every failure (and deployment) that passes their filter.
pub type Destinations = Vec<Arc<dyn Destination>>;

/// The reason where a failure is none of a backend's business any more.
const FILTERED: &str = "not of this backend's services, teams and envs";

/// The failure as a backend with this filter is told of it: what does not pass (any more) does not count there.
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
    fn a_filter_asks_for_all_its_keys_and_for_any_of_a_list() {
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
