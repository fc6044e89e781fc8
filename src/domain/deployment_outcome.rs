//! Decision about a deployment of a source: it counts as one or several deployments, or the reason why not.

use std::collections::BTreeSet;
use std::fmt;

use super::deployment::Deployment;
use super::deployment_event::{DeploymentFacts, DeploymentState};
use super::deployment_history::{DeploymentHistory, Span};
use super::deployment_table::{DeploymentTable, first_match};
use super::deployment_template::{EmptyPlaceholder, Groups, Template};
use super::id::{DeploymentId, SourceDeploymentId};
use super::name::name;
use super::policy::Policy;
use super::repository_address::is_same_repository;
use super::rule::RuleAction;
use super::text_limits::fitting_name;

/// Decision about a deployment, and the table that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedDeployment<'a> {
    /// The decision.
    pub outcome: DeploymentOutcome,
    /// The table that matches. `None`: no table matches, and the default decides.
    pub table: Option<&'a DeploymentTable>,
}

/// Decision about a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeploymentOutcome {
    /// It counts as these deployments: one for each service.
    Counted(Vec<Deployment>),
    /// It does not count.
    NotCounted(NotCounted),
}

/// Reason why a deployment does not count. Shown as a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotCounted {
    /// It has not succeeded: its last state. `None`: no event about it is known.
    NotSucceeded(Option<DeploymentState>),
    /// The table of this name ignores it.
    IgnoredBy(String),
    /// No table matches, and the environment is not production.
    NotProduction(Option<String>),
    /// No table matches, and the environment has the name of production, but not its tier.
    OtherTier {
        /// Name of the environment.
        environment: String,
        /// Its tier at GitLab.
        tier: String,
    },
    /// A placeholder of a table is empty.
    EmptyPlaceholder {
        /// Name of the table.
        table: String,
        /// Key with the placeholder.
        key: &'static str,
        /// The placeholder.
        placeholder: EmptyPlaceholder,
    },
    /// No table matches, and the events do not name the repository.
    NoRepository,
    /// An earlier source tells of the same deployment, which counts under this id
    /// ([`super::same_deployment::duplicates`]).
    SameAs(DeploymentId),
}

impl fmt::Display for NotCounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSucceeded(None) => f.write_str("no event about it is known"),
            Self::NotSucceeded(Some(state)) if state.is_unfinished() => {
                write!(f, "it has not ended: it {}", state.in_words())
            }
            Self::NotSucceeded(Some(state)) => write!(f, "it {}", state.in_words()),
            Self::IgnoredBy(table) => write!(f, "the table {table:?} ignores it"),
            Self::NotProduction(Some(environment)) => {
                write!(
                    f,
                    "the environment {environment} is not production, and no [[deployment]] table matches"
                )
            }
            Self::NotProduction(None) => {
                f.write_str("it has no environment, and no [[deployment]] table matches")
            }
            Self::OtherTier { environment, tier } => write!(
                f,
                "the environment {environment} has the tier {tier} at GitLab, and no [[deployment]] table matches"
            ),
            Self::EmptyPlaceholder { table, key, placeholder } => {
                write!(f, "{placeholder} in {key} of the table {table:?} is empty")
            }
            Self::NoRepository => {
                f.write_str("its repository is unknown, and no [[deployment]] table names the service")
            }
            Self::SameAs(id) => write!(f, "it is the same deployment as {id}"),
        }
    }
}

/// Decides about a deployment. Depends on its events and the policy only.
pub fn decide<'a>(
    id: &SourceDeploymentId,
    history: &DeploymentHistory,
    policy: &'a Policy,
) -> DecidedDeployment<'a> {
    let facts = history.facts();
    let (table, groups) = match first_match(&policy.deployments, id.source(), &facts) {
        Some((table, groups)) => (Some(table), groups),
        None => (None, Groups::new()),
    };
    let decision = Decision { id, facts: &facts, table, groups, policy };
    let outcome =
        decision.counted(history).map_or_else(DeploymentOutcome::NotCounted, DeploymentOutcome::Counted);
    DecidedDeployment { outcome, table }
}

/// Everything that the decision depends on.
struct Decision<'a> {
    id: &'a SourceDeploymentId,
    facts: &'a DeploymentFacts,
    table: Option<&'a DeploymentTable>,
    groups: Groups,
    policy: &'a Policy,
}

impl Decision<'_> {
    /// The deployments that count, or the reason why there are none.
    fn counted(&self, history: &DeploymentHistory) -> Result<Vec<Deployment>, NotCounted> {
        match self.table {
            Some(table) if table.action == RuleAction::Ignore => {
                return Err(NotCounted::IgnoredBy(table.name.clone()));
            }
            None if !self.is_production() => {
                return Err(self.not_production());
            }
            _ => {}
        }
        match history.span() {
            Some(span) => self.deployments(&span),
            None => Err(NotCounted::NotSucceeded(history.state())),
        }
    }

    /// `true` if the source says so. If the source says nothing, an environment with the name of the default env is
    /// production, in any letter case.
    fn is_production(&self) -> bool {
        self.facts.is_production.unwrap_or_else(|| self.has_name_of_production())
    }

    fn has_name_of_production(&self) -> bool {
        let default_env = self.policy.default_env.to_lowercase();
        self.facts.environment.as_deref().is_some_and(|environment| environment.to_lowercase() == default_env)
    }

    fn not_production(&self) -> NotCounted {
        match (&self.facts.environment, &self.facts.tier) {
            (Some(environment), Some(tier)) if self.has_name_of_production() => {
                NotCounted::OtherTier { environment: environment.clone(), tier: tier.clone() }
            }
            (environment, _) => NotCounted::NotProduction(environment.clone()),
        }
    }

    /// One deployment for each service.
    fn deployments(&self, span: &Span<'_>) -> Result<Vec<Deployment>, NotCounted> {
        let services = self.services()?;
        let (table, facts) = (self.table, self.facts);
        let (env, team) = match table {
            Some(table) => (
                self.filled(table, "env", table.env.as_ref())?,
                self.filled(table, "team", table.team.as_ref())?,
            ),
            None => (None, None),
        };
        let version = table.and_then(|table| table.version.as_ref()?.fill(&self.groups, facts).ok());
        let version = version.as_deref().and_then(fitting);
        let is_one = services.len() == 1;
        let deployment = |service: String| Deployment {
            id: if is_one { self.id.as_deployment().clone() } else { self.id.of_service(&service) },
            team: team.clone().or_else(|| self.policy.team_of_service(&service).map(str::to_owned)),
            env: env.clone().unwrap_or_else(|| self.policy.default_env.clone()),
            started_at: span.start.at,
            finished_at: span.end.at,
            version: version.clone(),
            commit_sha: facts.commit_sha.clone(),
            repository_url: facts.repository_url.clone(),
            tags: BTreeSet::new(),
            service,
        };
        Ok(services.into_iter().map(deployment).collect())
    }

    /// The services, each once: those of the table, else those whose entries have the address of the repository, else the
    /// repository's name. At least one.
    fn services(&self) -> Result<Vec<String>, NotCounted> {
        let mut services = Vec::new();
        if let Some(table) = self.table {
            for template in &table.services {
                services.extend(self.filled(table, "services", Some(template))?);
            }
        }
        if services.is_empty() {
            services = self.services_of_repository();
        }
        if services.is_empty() {
            let repository = self.facts.repository.as_deref();
            let last = repository.and_then(|repository| repository.rsplit('/').next());
            services.push(last.and_then(fitting).ok_or(NotCounted::NoRepository)?);
        }
        let mut seen = BTreeSet::new();
        services.retain(|service| seen.insert(service.clone()));
        Ok(services)
    }

    fn services_of_repository(&self) -> Vec<String> {
        let Some(address) = self.facts.repository_url.as_deref() else { return Vec::new() };
        let has_address = |other: &String| is_same_repository(address, other);
        let entries = self.policy.services.iter();
        let entries = entries.filter(|entry| entry.repository_url.as_ref().is_some_and(has_address));
        entries.flat_map(|entry| entry.services.iter().cloned()).collect()
    }

    /// Text of a key of a table. `None` if the table does not have the key.
    fn filled(
        &self,
        table: &DeploymentTable,
        key: &'static str,
        template: Option<&Template>,
    ) -> Result<Option<String>, NotCounted> {
        let Some(template) = template else { return Ok(None) };
        let filled = template.fill(&self.groups, self.facts).map_err(|placeholder| {
            NotCounted::EmptyPlaceholder { table: table.name.clone(), key, placeholder }
        })?;
        Ok(fitting(&filled))
    }
}

/// A name as it is stored. `None` if it is blank.
fn fitting(text: &str) -> Option<String> {
    name(text).map(|name| fitting_name(name).into_owned())
}

#[cfg(test)]
mod tests;
