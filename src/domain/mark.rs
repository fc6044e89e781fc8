//! Mark of a deployment that failed, with its remediation.

use super::deployment::Deployment;
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
    /// Something that was deployed before.
    Rollback,
    /// Something new.
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

/// A failure that counts, of the deployment that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CausedFailure {
    /// Key that tells failures of the same start apart, always in the same way.
    pub key: i64,
    /// Start of the failure.
    pub started_at: Timestamp,
    /// End of the failure; `None` while it is open.
    pub finished_at: Option<Timestamp>,
    /// Its remediation.
    pub remediation: Option<Deployment>,
}

/// A deployment that failed, and how it was recovered from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDeployment {
    /// The deployment that mended it in the end.
    pub remediation: Option<Deployment>,
    /// End of the failures, where the remediation is known.
    pub ended_at: Option<Timestamp>,
}

impl FailedDeployment {
    /// Looks at all failures that a deployment caused. `None`: it caused none, and did not fail.
    ///
    /// Different deployments may have mended its failures. The last one is told: before it, a part of the damage was left.
    pub fn of(failures: Vec<CausedFailure>) -> Option<Self> {
        if failures.is_empty() {
            return None;
        }
        let stretch = first_stretch(failures);
        let end = stretch.iter().filter_map(|failure| failure.finished_at).max();
        let remediations = stretch.into_iter().filter_map(|failure| failure.remediation);
        let remediation = remediations.max_by(|a, b| a.order().cmp(&b.order()));
        let ended_at = remediation.as_ref().and(end);
        Some(Self { remediation, ended_at })
    }
}

/// Selects the failures that decide the remediation of a deployment: its first unbroken stretch of them, the one
/// whose end is the end of `failed_deployment_recovery_time_seconds`. None while that is open.
///
/// Damage that comes later, after a time without a failure, changes nothing. That follows from the failures alone, not
/// from the order in which they were heard of.
fn first_stretch(mut failures: Vec<CausedFailure>) -> Vec<CausedFailure> {
    failures.sort_by_key(|failure| (failure.started_at, failure.key));
    let mut end: Option<Timestamp> = None;
    let mut stretch = Vec::new();
    for failure in failures {
        // One that begins at the very end of another leaves no gap.
        if end.is_some_and(|end| failure.started_at > end) {
            break;
        }
        let Some(failure_end) = failure.finished_at else { return Vec::new() };
        end = end.max(Some(failure_end));
        stretch.push(failure);
    }
    stretch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests::{deployment, time};

    fn failure(started: &str, finished: Option<&str>, mended_by: Option<&str>) -> CausedFailure {
        CausedFailure {
            key: 0,
            started_at: time(started),
            finished_at: finished.map(time),
            remediation: mended_by.map(|started| deployment(&started[..2], "checkout", started, "23:59")),
        }
    }

    #[test]
    fn the_first_unbroken_stretch_decides() {
        let stretch = |failures: &[(&str, Option<&str>)]| {
            let failures = failures.iter().map(|(start, end)| failure(start, *end, None));
            first_stretch(failures.collect()).len()
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

    #[test]
    fn the_last_remediation_of_the_stretch_is_told() {
        let outcome = |failures: Vec<CausedFailure>| {
            FailedDeployment::of(failures)
                .map(|failed| (failed.remediation.map(|deployment| deployment.started_at), failed.ended_at))
        };
        assert_eq!(outcome(Vec::new()), None);
        assert_eq!(outcome(vec![failure("10:00", None, None)]), Some((None, None)));
        assert_eq!(outcome(vec![failure("10:00", Some("11:00"), None)]), Some((None, None)));
        let one = failure("10:00", Some("11:00"), Some("10:40"));
        let other = failure("10:30", Some("12:00"), Some("10:20"));
        let later = failure("13:00", Some("14:00"), Some("13:30"));
        assert_eq!(outcome(vec![later, other, one]), Some((Some(time("10:40")), Some(time("12:00")))));
    }
}
