//! Marks of deployments that failed, with their remediations.

use super::deployment::Deployment;
use super::id::DeploymentId;
use super::timestamp::Timestamp;

/// Mark of a deployment that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Remediation, once it is known.
    pub remediation: Option<Remediation>,
}

/// Name by which a request about a mark finds its deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkTarget {
    /// The deployment with this id.
    Id(DeploymentId),
    /// The deployment of this version of a service to an env.
    Version {
        /// The service.
        service: String,
        /// The env.
        env: String,
        /// The version.
        version: String,
    },
}

/// Content of a request about a mark.
#[derive(Debug, Clone, Copy)]
pub struct MarkRequest<'a> {
    /// Deployments whose marks are removed first: they were set by names that the deployment does not have any more.
    pub removed: &'a [MarkTarget],
    /// The deployment that the mark is about.
    pub target: &'a MarkTarget,
    /// The mark. `None` to remove it.
    pub mark: Option<&'a Mark>,
}

/// Remediation of a deployment that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remediation {
    /// The deployment that fixed the failures.
    pub deployment: DeploymentId,
    /// Its version.
    pub version: Option<String>,
    /// Kind of remediation.
    pub kind: RemediationKind,
}

/// Kind of a remediation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RemediationKind {
    /// Deploys a version that was deployed before.
    Rollback,
    /// Deploys another version.
    Rollforward,
}

impl RemediationKind {
    /// Datadog's word for it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A failure that counts and that a deployment caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CausedFailure {
    /// Key that decides the order of failures with the same start.
    pub key: i64,
    /// Start of the failure.
    pub started_at: Timestamp,
    /// End of the failure; `None` while it is open.
    pub finished_at: Option<Timestamp>,
    /// Its remediation.
    pub remediation: Option<Deployment>,
}

/// Recovery from a deployment that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDeployment {
    /// The deployment that fixed its failures in the end.
    pub remediation: Option<Deployment>,
    /// End of its failures, if the remediation is known.
    pub ended_at: Option<Timestamp>,
}

impl FailedDeployment {
    /// Evaluates all failures that a deployment caused. `None` if it caused none.
    ///
    /// Different deployments may have fixed its failures. The last of them is the remediation, because a failure was
    /// still open before it.
    pub fn of(failures: Vec<CausedFailure>) -> Option<Self> {
        if failures.is_empty() {
            return None;
        }
        let run = first_run(failures);
        let end = run.iter().filter_map(|failure| failure.finished_at).max();
        let remediations = run.into_iter().filter_map(|failure| failure.remediation);
        let remediation = remediations.max_by(|a, b| a.order().cmp(&b.order()));
        let ended_at = remediation.as_ref().and(end);
        Some(Self { remediation, ended_at })
    }
}

/// Selects the failures that decide the remediation of a deployment: its first unbroken run of failures. The end of
/// that run is also the end of `failed_deployment_recovery_time_seconds`. Empty while the run is open.
///
/// Failures after a gap change nothing. The result depends on the failures alone, not on the order of their arrival.
fn first_run(mut failures: Vec<CausedFailure>) -> Vec<CausedFailure> {
    failures.sort_by_key(|failure| (failure.started_at, failure.key));
    let mut end: Option<Timestamp> = None;
    let mut run = Vec::new();
    for failure in failures {
        // A failure that begins exactly when another ends leaves no gap.
        if end.is_some_and(|end| failure.started_at > end) {
            break;
        }
        let Some(failure_end) = failure.finished_at else { return Vec::new() };
        end = end.max(Some(failure_end));
        run.push(failure);
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests::{deployment, time};

    fn failure(started: &str, finished: Option<&str>, fixed_by: Option<&str>) -> CausedFailure {
        CausedFailure {
            key: 0,
            started_at: time(started),
            finished_at: finished.map(time),
            remediation: fixed_by.map(|started| deployment(&started[..2], "checkout", started, "23:59")),
        }
    }

    #[test]
    fn the_first_unbroken_run_of_failures_decides() {
        let run = |failures: &[(&str, Option<&str>)]| {
            let failures = failures.iter().map(|(start, end)| failure(start, *end, None));
            first_run(failures.collect()).len()
        };
        assert_eq!(run(&[("10:00", Some("11:00")), ("10:30", Some("12:00")), ("12:01", Some("12:05"))]), 2);
        assert_eq!(run(&[("10:30", Some("12:00")), ("10:00", Some("10:30"))]), 2);
        assert_eq!(run(&[("10:00", Some("11:00")), ("10:59", None)]), 0);
        assert_eq!(run(&[("10:00", Some("11:00")), ("11:01", None)]), 1);
        assert_eq!(run(&[]), 0);
    }

    #[test]
    fn the_last_remediation_of_the_run_counts() {
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
