//! Mark of a deployment that failed, with its remediation.

use super::deployment::Deployment;
use super::failure::{Failure, State};
use super::id::DeploymentId;
use super::timestamp::Timestamp;

/// Mark that says that a deployment failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Remediation, once it is known.
    pub remediation: Option<Remediation>,
}

/// Deployment that remedied one that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remediation {
    /// The deployment that did.
    pub deployment: DeploymentId,
    /// Kind of remediation.
    pub kind: RemediationKind,
}

/// Way in which a deployment remedies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemediationKind {
    /// By what was deployed before.
    Rollback,
    /// By something new.
    Rollforward,
}

impl RemediationKind {
    /// Datadog's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Rollforward => "rollforward",
        }
    }
}

/// `true` if a failure that is linked to a deployment makes it a failed one. Somebody may name a deployment to
/// another env: each env is compared with itself, as the figures do.
pub fn blames(failure: &Failure, deployment: &Deployment) -> bool {
    failure.state.counts() && failure.env == deployment.env
}

/// Finds the remediation of a failure: of these deployments, the last one of its services and env that began while
/// it was open, other than the one that it is linked to. The last one is known only once the failure has ended.
pub fn remediation<'a>(
    failure: &Failure,
    deployments: impl IntoIterator<Item = &'a Deployment>,
) -> Option<&'a Deployment> {
    let end = failure.finished_at.filter(|_| failure.state == State::Completed)?;
    let mends = |deployment: &&Deployment| {
        failure.services.contains(&deployment.service)
            && failure.env == deployment.env
            && (failure.started_at..end).contains(&deployment.started_at)
            && failure.deployment.as_deref() != Some(deployment.id.as_str())
    };
    deployments.into_iter().filter(mends).max_by_key(|deployment| deployment.order())
}

/// Selects the failures that decide the remediation of a deployment: its first unbroken stretch of them, the one
/// whose end is the end of `failed_deployment_recovery_time_seconds`. None while that is open.
///
/// If different deployments remedied them, the last one is told: before it, a part of the damage was left. Damage
/// that comes later, after a time without a failure, changes nothing. Both follow from the failures alone, not
/// from the order in which they were heard of.
pub fn first_stretch(mut failures: Vec<Failure>) -> Vec<Failure> {
    failures.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    let mut end: Option<Timestamp> = None;
    let mut stretch = Vec::new();
    for failure in failures {
        // One that begins at the very end of another leaves no gap.
        if end.is_some_and(|end| failure.started_at > end) {
            break;
        }
        let Some(failure_end) = failure.finished_at.filter(|_| failure.state == State::Completed) else {
            return Vec::new();
        };
        end = end.max(Some(failure_end));
        stretch.push(failure);
    }
    stretch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests::{deployment, time};
    use crate::domain::failure::tests::completed;

    fn failure(started: &str, finished: Option<&str>) -> Failure {
        let mut failure = completed().failure;
        failure.started_at = time(started);
        failure.finished_at = finished.map(time);
        failure.state = if finished.is_some() { State::Completed } else { State::Open };
        failure.deployment = Some("deployment:00001".to_owned());
        failure
    }

    #[test]
    fn the_last_deployment_while_it_was_open_mended_a_failure() {
        let deployments = [
            deployment("1", "checkout", "10:10", "10:15"),
            deployment("2", "checkout", "10:20", "10:25"),
            deployment("3", "checkout", "10:30", "11:30"),
            deployment("4", "search", "10:40", "10:45"),
            deployment("5", "checkout", "11:00", "11:05"),
        ];
        let mended_by = |failure: &Failure| {
            remediation(failure, &deployments).map(|deployment| deployment.version.clone().unwrap())
        };
        assert_eq!(mended_by(&failure("10:05", Some("11:00"))).as_deref(), Some("v3"));
        assert_eq!(mended_by(&failure("10:20", Some("10:30"))).as_deref(), Some("v2"));
        assert_eq!(mended_by(&failure("10:05", Some("10:20"))), None, "what caused it mends nothing");
        assert_eq!(mended_by(&failure("10:05", None)), None, "another one may still come");
        let mut of_both = failure("10:05", Some("11:00"));
        of_both.services.push("search".to_owned());
        assert_eq!(mended_by(&of_both).as_deref(), Some("v4"));
    }

    #[test]
    fn the_first_unbroken_stretch_decides() {
        let stretch = |failures: &[(&str, Option<&str>)]| {
            first_stretch(failures.iter().map(|(start, end)| failure(start, *end)).collect()).len()
        };
        assert_eq!(
            stretch(&[("10:00", Some("11:00")), ("10:30", Some("12:00")), ("12:01", Some("12:05"))]),
            2
        );
        assert_eq!(stretch(&[("10:30", Some("12:00")), ("10:00", Some("10:30"))]), 2);
        assert_eq!(stretch(&[("10:00", Some("11:00")), ("10:59", None)]), 0);
        assert_eq!(stretch(&[("10:00", Some("11:00")), ("11:01", None)]), 1);
        assert_eq!(stretch(&[]), 0);
    }
}
