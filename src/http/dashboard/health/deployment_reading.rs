//! Health of reading deployments from an API.

use super::data::HealthData;
use super::row::HealthRow;
use crate::http::dashboard::parts::format::{ago, count, sentence};
use crate::telemetry::deployment_reading::DeploymentReadingState;

/// State of reading deployments from one API.
pub(super) fn deployment_reading(data: &HealthData, state: &DeploymentReadingState) -> HealthRow {
    let DeploymentReadingState { title, succeeded_at, failed, repaired, gaps } = state;
    let row =
        |says, must_act| HealthRow { about: format!("Deployments of {title}"), says, must_act, page: None };
    if data.others_ask_apis {
        return row(format!("Another replica reads deployments from {title}'s API."), false);
    }
    let last = match (succeeded_at, &gaps.none_on) {
        (Some(_), Some(host)) => format!(
            "The program reads no repository: none that is known is on {host}. Check the url of the API."
        ),
        (Some(at), None) => format!(
            "Deployments were read from {title}'s API {} ago. {} repaired since the start.",
            ago(data.now, *at),
            count(*repaired, "lost event")
        ),
        (None, _) => format!("Deployments were not read from {title}'s API yet."),
    };
    let last = last
        + &left_out(gaps.unreadable.as_ref(), ("repository", "repositories"))
        + &left_out(gaps.left_out.as_ref(), ("record", "records"));
    let says = match failed {
        None => last,
        Some((at, error)) => {
            format!("The last attempt failed {} ago: {}. {last}", ago(data.now, *at), sentence(error))
        }
    };
    row(says, failed.is_some())
}

/// Sentence about things that were left out: their number, and the first of them with the reason.
fn left_out(things: Option<&(usize, String)>, (one, many): (&str, &str)) -> String {
    match things {
        None => String::new(),
        Some((1, first)) => format!(" 1 {one} is left out: {}.", sentence(first)),
        Some((n, first)) => format!(" {n} {many} are left out: {}.", sentence(first)),
    }
}
