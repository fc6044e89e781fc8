//! Reasons for the values of a deployment of a source, from its events and the configuration.

use super::deployment_history::{DeploymentHistory, Moment};
use super::deployment_outcome::{DeploymentOutcome, decide};
use super::explain::{Why, why};
use super::id::SourceDeploymentId;
use super::policy::Policy;
use super::rule::RuleAction;
use super::source_deployment::{is_matched, matchable_facts};

/// Explains a deployment of a source: its state, its times, the table that decides, and the facts that tables match.
pub fn explain_source_deployment(
    id: &SourceDeploymentId,
    history: &DeploymentHistory,
    policy: &Policy,
) -> Vec<Why> {
    let mut reasons = Vec::new();
    reasons.extend(history.state().map(|state| why("state", state.as_str(), "its last event")));
    if let Some(span) = history.span() {
        reasons.push(moment("started_at", &span.start));
        reasons.push(moment("finished_at", &span.end));
    }
    reasons.push(table(id, history, policy));
    let facts = history.facts();
    reasons.extend(matchable_facts(&facts).map(|(key, value)| {
        let because = if is_matched(&key) {
            "its source says so; a [[deployment]] table can match it".to_owned()
        } else {
            format!(
                "its source says so; services, env, version and team of a [[deployment]] table can take it as {{{key}}}"
            )
        };
        why("fact", format!("{key}: {value}"), because)
    }));
    reasons
}

fn moment(about: &str, moment: &Moment<'_>) -> Why {
    let because = match moment.event {
        Some(event) => format!("{} (event {event})", moment.because),
        None => moment.because.to_owned(),
    };
    why(about, moment.at.to_string(), because)
}

fn table(id: &SourceDeploymentId, history: &DeploymentHistory, policy: &Policy) -> Why {
    let decided = decide(id, history, policy);
    match (decided.table, decided.outcome) {
        (Some(table), outcome) => {
            let does = match (table.action, outcome) {
                (RuleAction::Ignore, _) => "ignores the deployment".to_owned(),
                (RuleAction::Count, DeploymentOutcome::Counted(_)) => "counts the deployment".to_owned(),
                (RuleAction::Count, DeploymentOutcome::NotCounted(reason)) => {
                    format!("would count the deployment, but {reason}")
                }
            };
            why(
                "table",
                table.name.as_str(),
                format!("the first [[deployment]] table that matches; it {does}"),
            )
        }
        (None, DeploymentOutcome::NotCounted(reason)) => why(
            "table",
            "-",
            format!("no [[deployment]] table matches, so only production would count, but {reason}"),
        ),
        (None, DeploymentOutcome::Counted(_)) => why(
            "table",
            "-",
            "no [[deployment]] table matches: production counts, as the services whose [[service]] entry has the \
             repository_url, else as the repository's name",
        ),
    }
}

/// Explanation for a deployment that was decided under another configuration.
pub fn decided_under_other_configuration() -> Why {
    why(
        "configuration",
        "changed",
        "under the present configuration it would be another deployment, or would not count, or would; run `reevaluate` to \
         apply the present one",
    )
}

/// Explanation for a deployment that does not count, and that no backend was told of.
pub fn never_told() -> Why {
    why("forwarded", "-", "backends are not told of a deployment that does not count")
}

/// Explanation for a deployment that does not count any more, and that a backend still has.
pub fn still_there(backend: &str, revision: i64) -> Why {
    why(
        "forwarded",
        format!("{backend}: still there"),
        format!(
            "it counted when revision {revision} was sent, and this backend cannot delete it: the backend's own figures \
             still count it"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment_event::DeploymentState;
    use crate::domain::deployment_history::tests::{event, history};
    use crate::domain::source_deployment::tests::{facts, id, policy};

    #[test]
    fn each_time_names_its_event_and_the_table_its_action() {
        let events = [
            event("status:1", DeploymentState::InProgress, 10, facts("production")),
            event("status:2", DeploymentState::Succeeded, 60, facts("production")),
        ];
        let line = |why: &Why| format!("{}: {}: {}", why.about, why.value, why.because);
        let lines: Vec<String> =
            explain_source_deployment(&id(), &history(&events), &policy()).iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
