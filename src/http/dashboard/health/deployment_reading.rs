//! Health of reading deployments from an API.

use super::data::HealthData;
use super::row::HealthRow;
use crate::http::dashboard::parts::format::{ago, count, sentence};
use crate::telemetry::deployment_reading::DeploymentReadingState;

/// State of reading deployments from one API.
pub(super) fn deployment_reading(data: &HealthData, state: &DeploymentReadingState) -> HealthRow {
    let DeploymentReadingState { title, succeeded_at, failed, repaired, unreadable } = state;
    let last = match succeeded_at {
        Some(at) => format!(
            "Deployments were read from {title}'s API {} ago. {} repaired since the start.",
            ago(data.now, *at),
            count(*repaired, "lost event")
        ),
        None => format!("Deployments were not read from {title}'s API yet."),
    };
    let skipped = unreadable.as_ref().map(|(repositories, reason)| {
        let (repositories, plural) = match repositories {
            1 => ("1 repository".to_owned(), "is"),
            n => (format!("{n} repositories"), "are"),
        };
        format!(" {repositories} {plural} left out: {}.", sentence(reason))
    });
    let last = last + &skipped.unwrap_or_default();
    let says = match failed {
        None => last,
        Some((at, error)) => {
            format!("The last attempt failed {} ago: {}. {last}", ago(data.now, *at), sentence(error))
        }
    };
    HealthRow { about: format!("Deployments of {title}"), says, must_act: failed.is_some(), page: None }
}
