//! Reasons for the values of a deployment, for people who doubt a figure.

use super::deployment_view::{DeploymentView, PendingRule};
use super::explain::{Why, link_reason, why};
use super::link::LinkReason;
use super::mark::RemediationKind;
use super::source_name::SourceName;
use super::timestamp::Timestamp;

/// A failure that a deployment caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CausedLink {
    /// Id of the failure.
    pub failure: String,
    /// Way in which its cause was found.
    pub how: LinkReason,
    /// Names that the failure gives for its cause.
    pub named: Vec<String>,
}

/// Facts that explain a deployment.
#[derive(Debug, Clone, Copy)]
pub struct ExplainedDeployment<'a> {
    /// The deployment.
    pub view: &'a DeploymentView,
    /// Reasons that its events and the configuration give, if a source told of it.
    pub source_reasons: &'a [Why],
    /// Time at which its present values were received. `None`: an older version of the program did not note it.
    pub received_at: Option<Timestamp>,
    /// The failures that it caused and that count.
    pub caused: &'a [CausedLink],
    /// Kind of its remediation, if it has one.
    pub remediation_kind: Option<RemediationKind>,
}

/// Explains a deployment.
pub fn explain_deployment(facts: ExplainedDeployment<'_>, pending: PendingRule) -> Vec<Why> {
    let ExplainedDeployment { view, caused, source_reasons, .. } = facts;
    let mut reasons = vec![source(facts), counts(view)];
    reasons.extend(source_reasons.iter().cloned());
    if view.ignored_because.is_some() {
        // Nothing follows from it.
        return reasons;
    }
    reasons.push(failed(view));
    reasons.extend(caused.iter().map(|caused| {
        let named: Vec<&str> = caused.named.iter().map(String::as_str).collect();
        why("failure", caused.failure.as_str(), link_reason(caused.how, &named))
    }));
    if view.has_failed() {
        reasons.push(remediation(facts));
    }
    reasons.extend(view.remediates.iter().map(|failure| {
        why(
            "remediates",
            failure.as_str(),
            "the last deployment of the failure's services (or team) to its env that started while the failure was open",
        )
    }));
    reasons.push(rollback(view));
    reasons.push(is_pending(view, pending));
    reasons
}

/// Explains the latest request about a deployment itself to one backend.
pub fn explain_forwarded(backend: &str, state: &str, revision: i64, attempts: u32) -> Why {
    let times = if attempts == 1 { "attempt" } else { "attempts" };
    why("forwarded", format!("{backend}: {state}"), format!("revision {revision}, {attempts} {times}"))
}

/// Explanation for a deployment that was imported.
pub fn imported() -> Why {
    why("forwarded", "-", "it was imported from Datadog; backends are not told")
}

/// Explanation for a deployment that no backend was told of.
pub fn not_forwarded() -> Why {
    why(
        "forwarded",
        "-",
        "no request about it was prepared: a backend gets those deployments that arrive while it has \
         `deployments = true` and that pass its filter",
    )
}

const fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn source(facts: ExplainedDeployment<'_>) -> Why {
    let source = &facts.view.source;
    let by = match *source == SourceName::API {
        true if facts.view.is_imported() => "imported from Datadog",
        true => "sent to the event API",
        false => "reported by this source",
    };
    let at = match facts.received_at {
        Some(at) => format!("its present values were first received at {at}"),
        None => "an older version of the program stored it, without the time".to_owned(),
    };
    why("source", source.as_str(), format!("{by}; {at}"))
}

fn counts(view: &DeploymentView) -> Why {
    match &view.ignored_because {
        Some(because) => why("counts", "no", because.as_str()),
        None if view.is_imported() => why("counts", "yes", "every deployment that is imported counts"),
        None if view.source == SourceName::API => {
            why("counts", "yes", "every deployment that is sent to the event API counts")
        }
        None => why("counts", "yes", "it succeeded, and nothing ignores it"),
    }
}

fn failed(view: &DeploymentView) -> Why {
    let because = match view.failures.len() {
        0 => "no failure that counts is linked to it".to_owned(),
        1 => "a failure that counts is linked to it".to_owned(),
        several => format!("{several} failures that count are linked to it"),
    };
    why("failed", yes_or_no(view.has_failed()), because)
}

fn remediation(ExplainedDeployment { view, remediation_kind, .. }: ExplainedDeployment<'_>) -> Why {
    let Some(deployment) = &view.remediation else {
        return why(
            "remediation",
            "-",
            "none: a failure of its first unbroken run of failures is open, or no other deployment started while one of \
             them was open",
        );
    };
    let kind = remediation_kind.map_or_else(String::new, |kind| format!(": a {}", kind.as_str()));
    why(
        "remediation",
        deployment.id.as_str(),
        format!(
            "the last fix of the failures that followed each other without a gap after this deployment{kind}"
        ),
    )
}

fn rollback(view: &DeploymentView) -> Why {
    let deployed = &view.deployment;
    let because = match (view.is_rollback, deployed.version_or_commit()) {
        (true, Some(deployed)) => format!(
            "{deployed} was deployed to this service and env before, and differs from what was deployed just before"
        ),
        (false, Some(deployed)) => {
            format!("{deployed} was not deployed to this service and env before, or was deployed just before")
        }
        (_, None) => "it has neither a version nor a commit".to_owned(),
    };
    why("is_rollback", yes_or_no(view.is_rollback), because)
}

fn is_pending(view: &DeploymentView, pending: PendingRule) -> Why {
    let until = pending.settled_at(view.deployment.finished_at);
    let because = if view.is_pending {
        format!("a failure that begins by {until} (its end plus dora.link_window) can still be linked to it")
    } else {
        format!("dora.link_window after its end was over at {until}")
    };
    why("pending", yes_or_no(view.is_pending), because)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::deployment::tests::{deployment, time};
    use crate::domain::link::MatchedBy;

    fn view() -> DeploymentView {
        DeploymentView {
            deployment: deployment("1", "checkout", "10:00", "10:05"),
            source: SourceName::API,
            failures: vec!["pagerduty:Q1".to_owned(), "pagerduty:Q2".to_owned()],
            remediation: Some(deployment("2", "checkout", "11:00", "11:05")),
            remediates: vec!["pagerduty:Q0".to_owned()],
            is_rollback: true,
            is_pending: false,
            ignored_because: None,
            has_ended: true,
        }
    }

    fn shown(view: &DeploymentView, received_at: Option<Timestamp>) -> String {
        let caused = view.failures.iter().zip([LinkReason::Automatic, LinkReason::Named(MatchedBy::Version)]);
        let caused: Vec<CausedLink> = caused
            .map(|(failure, how)| CausedLink { failure: failure.clone(), how, named: vec!["V1".to_owned()] })
            .collect();
        let remediation_kind = view.remediation.is_some().then_some(RemediationKind::Rollforward);
        let facts =
            ExplainedDeployment { view, source_reasons: &[], received_at, caused: &caused, remediation_kind };
        let pending = PendingRule { link_window: Duration::from_hours(1), now: time("12:00") };
        let line = |why: &Why| format!("{}: {}: {}", why.about, why.value, why.because);
        explain_deployment(facts, pending).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_value_has_its_reason() {
        insta::assert_snapshot!(shown(&view(), Some(time("10:06"))), @r"
        source: api: sent to the event API; its present values were first received at 2026-11-01T10:06:00Z
        counts: yes: every deployment that is sent to the event API counts
        failed: yes: 2 failures that count are linked to it
        failure: pagerduty:Q1: the latest deployment of the failure's services (or team) to its env that had started when the failure was created, and had ended no more than dora.link_window before that (or had not ended)
        failure: pagerduty:Q2: its version was named: V1
        remediation: deployment:00002: the last fix of the failures that followed each other without a gap after this deployment: a rollforward
        remediates: pagerduty:Q0: the last deployment of the failure's services (or team) to its env that started while the failure was open
        is_rollback: yes: v1 was deployed to this service and env before, and differs from what was deployed just before
        pending: no: dora.link_window after its end was over at 2026-11-01T11:05:00Z
        ");
    }

    #[test]
    fn a_deployment_without_failures_is_explained_too() {
        let view = DeploymentView {
            failures: Vec::new(),
            remediation: None,
            remediates: Vec::new(),
            is_rollback: false,
            is_pending: true,
            source: SourceName::new("github"),
            ..view()
        };
        insta::assert_snapshot!(shown(&view, None), @r"
        source: github: reported by this source; an older version of the program stored it, without the time
        counts: yes: it succeeded, and nothing ignores it
        failed: no: no failure that counts is linked to it
        is_rollback: no: v1 was not deployed to this service and env before, or was deployed just before
        pending: yes: a failure that begins by 2026-11-01T11:05:00Z (its end plus dora.link_window) can still be linked to it
        ");
        let ignored = DeploymentView { ignored_because: Some("the shop monorepo".to_owned()), ..view };
        insta::assert_snapshot!(shown(&ignored, None), @r"
        source: github: reported by this source; an older version of the program stored it, without the time
        counts: no: the shop monorepo
        ");
    }

    #[test]
    fn a_deployment_is_pending_until_the_window_has_passed() {
        let rule = |now| PendingRule { link_window: Duration::from_hours(1), now: time(now) };
        assert!(rule("11:04").is_pending(time("10:05")));
        assert!(!rule("11:05").is_pending(time("10:05")));
    }
}
