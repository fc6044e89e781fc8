//! Deployments that follow from the events of one deployment of a source: those that count, or one that does not.

use std::collections::BTreeSet;

use super::deployment::Deployment;
use super::deployment_event::DeploymentFacts;
use super::deployment_history::DeploymentHistory;
use super::deployment_outcome::{DeploymentOutcome, decide};
use super::id::SourceDeploymentId;
use super::policy::Policy;
use super::text_limits::{fitting_name, on_one_line};
use super::timestamp::Timestamp;

/// Env of a deployment that does not count, if its events name no environment.
const UNKNOWN: &str = "unknown";

/// A deployment that follows from the events of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultingDeployment {
    /// The deployment. If it does not count, its service is the repository's name, its env the environment, and its tags
    /// are the facts that a `[[deployment]]` table can match, such as `job:deploy`.
    pub deployment: Deployment,
    /// Reason why it does not count.
    pub ignored_because: Option<String>,
}

/// The deployments that follow from the events of one deployment of a source: one for each service if it counts, else
/// one alone. Never empty.
pub fn deployments_of(
    id: &SourceDeploymentId,
    history: &DeploymentHistory,
    policy: &Policy,
) -> Vec<ResultingDeployment> {
    match decide(id, history, policy).outcome {
        DeploymentOutcome::Counted(deployments) => deployments
            .into_iter()
            .map(|deployment| ResultingDeployment { deployment, ignored_because: None })
            .collect(),
        DeploymentOutcome::NotCounted(reason) => vec![ResultingDeployment {
            deployment: uncounted(id, history, policy),
            ignored_because: Some(on_one_line(reason.to_string())),
        }],
    }
}

/// A deployment that does not count, with the times that are known: without a success, from its start to its last event.
fn uncounted(id: &SourceDeploymentId, history: &DeploymentHistory, policy: &Policy) -> Deployment {
    let facts = history.facts();
    let last_at = history.last_at().unwrap_or(Timestamp::MIN);
    let (started_at, finished_at) = match history.span() {
        Some(span) => (span.start.at, span.end.at),
        None => (history.begun_at().unwrap_or(last_at), last_at),
    };
    let tags = matchable_tags(&facts);
    let repository = facts.repository.as_deref().and_then(|repository| repository.rsplit('/').next());
    let service = fitting_name(repository.unwrap_or(UNKNOWN)).into_owned();
    Deployment {
        id: id.as_deployment().clone(),
        team: policy.team_of_service(&service).map(str::to_owned),
        service,
        env: fitting_name(facts.environment.as_deref().unwrap_or(UNKNOWN)).into_owned(),
        started_at,
        finished_at,
        version: None,
        commit_sha: facts.commit_sha,
        repository_url: facts.repository_url,
        tags,
    }
}

/// The facts that a `[[deployment]]` table can match or name, as tags of a deployment that does not count.
pub fn matchable_tags(facts: &DeploymentFacts) -> BTreeSet<String> {
    matchable_facts(facts).map(|(key, value)| format!("{key}:{value}")).collect()
}

/// `true` if a table can match a fact, `false` if it can only name it in a placeholder.
pub fn is_matched(fact: &str) -> bool {
    fact != "tier" && !fact.starts_with("payload.")
}

/// The facts that a `[[deployment]]` table can match or name, by its keys and placeholders.
pub fn matchable_facts(facts: &DeploymentFacts) -> impl Iterator<Item = (String, &str)> {
    let texts = [
        ("repository", &facts.repository),
        ("environment", &facts.environment),
        ("ref", &facts.reference),
        ("workflow", &facts.workflow),
        ("job", &facts.job),
        ("creator", &facts.creator),
        ("task", &facts.task),
        ("tier", &facts.tier),
    ];
    let texts = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.as_deref()?)));
    let payload = facts.payload.iter().flatten();
    texts.chain(payload.map(|(key, value)| (format!("payload.{key}"), value.as_str())))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::deployment_event::DeploymentState;
    use crate::domain::deployment_history::tests::{event, history, second};
    use crate::domain::source_name::SourceName;

    pub(in crate::domain) fn id() -> SourceDeploymentId {
        SourceDeploymentId::new(&SourceName::new("github"), "github.com", 7).unwrap()
    }

    pub(in crate::domain) fn facts(environment: &str) -> DeploymentFacts {
        DeploymentFacts {
            repository: Some("acme/shop/cart".to_owned()),
            environment: Some(environment.to_owned()),
            job: Some("deploy".to_owned()),
            payload: Some([("region".to_owned(), "eu".to_owned())].into()),
            created_at: Some(second(0)),
            ..DeploymentFacts::default()
        }
    }

    pub(in crate::domain) fn policy() -> Policy {
        Policy { default_env: "production".to_owned(), ..Policy::default() }
    }

    #[test]
    fn a_deployment_that_does_not_count_shows_what_a_table_can_match() {
        let events = [event("a", DeploymentState::InProgress, 60, facts("staging"))];
        let [resulting] = deployments_of(&id(), &history(&events), &policy()).try_into().unwrap();
        let reason = resulting.ignored_because.unwrap();
        assert!(reason.contains("staging is not production"), "{reason}");
        let Deployment { service, env, started_at, finished_at, tags, .. } = resulting.deployment;
        assert_eq!((service.as_str(), env.as_str()), ("cart", "staging"));
        assert_eq!((started_at, finished_at), (second(60), second(60)));
        let told = ["environment:staging", "job:deploy", "payload.region:eu", "repository:acme/shop/cart"];
        assert_eq!(tags.into_iter().collect::<Vec<_>>(), told);
    }

    #[test]
    fn the_names_and_the_reason_of_a_deployment_that_does_not_count_fit() {
        let odd = DeploymentFacts { repository: Some("x".repeat(800)), ..facts("a\0b") };
        let events = [event("a", DeploymentState::Succeeded, 60, odd)];
        let [made] = deployments_of(&id(), &history(&events), &policy()).try_into().unwrap();
        assert_eq!((made.deployment.service.len(), made.deployment.env.as_str()), (768, "a b"));
        let reason = made.ignored_because.unwrap();
        assert!(reason.starts_with("the environment a b is not production"), "{reason}");
    }

    #[test]
    fn a_deployment_without_a_success_starts_with_its_first_running_event() {
        use DeploymentState::{Failed, InProgress, Queued, Waiting};
        let times = |states: &[(DeploymentState, i64)], facts: &DeploymentFacts| {
            let events = states.iter().enumerate();
            let events: Vec<_> = events
                .map(|(n, (state, at))| event(&format!("status:{n}"), *state, *at, facts.clone()))
                .collect();
            let history = history(&events);
            let [made] = deployments_of(&id(), &history, &policy()).try_into().unwrap();
            (made.deployment.started_at, made.deployment.finished_at, history.has_ended())
        };
        let created = facts("production");
        let unknown = DeploymentFacts { created_at: None, ..created.clone() };
        let failed = [(InProgress, 60), (InProgress, 70), (Failed, 240)];
        assert_eq!(times(&failed, &created), (second(60), second(240), true));
        assert_eq!(times(&failed, &unknown), (second(60), second(240), true));
        let waits = [(InProgress, 60), (Waiting, 90)];
        assert_eq!(times(&waits, &created), (second(60), second(90), false));
        let queued = [(Queued, 30), (Waiting, 90)];
        assert_eq!(times(&queued, &created), (second(0), second(90), false));
        assert_eq!(times(&queued, &unknown), (second(30), second(90), false));
    }

    #[test]
    fn a_deployment_that_counts_has_no_reason() {
        let events = [event("a", DeploymentState::Succeeded, 60, facts("production"))];
        let [resulting] = deployments_of(&id(), &history(&events), &policy()).try_into().unwrap();
        assert_eq!((resulting.ignored_because, resulting.deployment.tags.len()), (None, 0));
        assert_eq!(resulting.deployment.id.as_str(), "github:github.com:deployment:7");
    }
}
