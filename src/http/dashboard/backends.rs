//! State of each backend, in sentences.

use maud::{Markup, html};

use super::data::DashboardData;
use super::format::{NOTHING, ago, count, said, second};
use super::health_row::HealthRow;
use crate::domain::lane::{BackendState, Lane};
use crate::store::BackendStatus;

/// A row for each backend and credential, and one for the rows that only their backend's errors hold back.
pub(super) fn rows(data: &DashboardData) -> Vec<HealthRow> {
    let statuses = data.gauges.backends.iter();
    let mut rows: Vec<HealthRow> = statuses
        .filter(|status| data.backends.contains(&status.backend))
        .map(|status| row(data, status))
        .collect();
    rows.extend(data.gauges.outbox.iter().filter(|outbox| outbox.suspect > 0).map(|outbox| HealthRow {
        about: format!("Suspect rows of {}", said(&outbox.backend)),
        says: format!(
            "{} not accepted in several attempts, while the backend accepts others: it may never accept them. See \
             `pagerduty-dora outbox`, where they are marked as suspect; `outbox retry ID` tries one now, `outbox discard ID` gives one up.",
            count(outbox.suspect, "row")
        ),
        must_act: true,
    }));
    rows
}

fn row(data: &DashboardData, status: &BackendStatus) -> HealthRow {
    let waiting = count(status.waiting, "row");
    let since = status.since.map(|at| format!(" for {}", ago(data.now, at))).unwrap_or_default();
    let next = status.next_attempt_at.map_or_else(|| NOTHING.to_owned(), second);
    let says = match status.state {
        BackendState::Idle => "Nothing waits for it.".to_owned(),
        BackendState::Delivering => format!("It accepts what it is sent. {waiting} to be sent."),
        BackendState::RateLimited => {
            format!("It asks us to wait{since}. {waiting} to be sent, the next one at {next}.")
        }
        BackendState::Unreachable => format!(
            "It does not answer, or only with errors{since}. {waiting} to be sent, next try at {next}: see whether \
             the backend is up and its `url` is right."
        ),
        BackendState::Refusing => format!(
            "It refuses our credentials{since}. {waiting} to be sent, next try at {next}: put the right key where \
             its entry in the configuration says."
        ),
    };
    let must_act = matches!(status.state, BackendState::Unreachable | BackendState::Refusing);
    let last = status.last_error.as_ref().filter(|_| must_act).map(|error| {
        let what = if status.last_status.is_some() { "answer" } else { "error" };
        format!(" Last {what}: {}.", said(error))
    });
    HealthRow { about: name(status), says: says + &last.unwrap_or_default(), must_act }
}

fn name(status: &BackendStatus) -> String {
    match status.lane {
        Lane::Main => format!("Backend {}", said(&status.backend)),
        Lane::ApplicationKey => format!("Backend {}, application key", said(&status.backend)),
    }
}

/// The state of a backend, the worse one where it has two credentials, and when it last accepted a request.
pub(super) fn cells(data: &DashboardData, backend: &str) -> Markup {
    let own = || data.gauges.backends.iter().filter(|status| status.backend == backend);
    let state = own().map(|status| status.state).max().unwrap_or(BackendState::Idle);
    let last = own().filter_map(|status| status.last_success_at).max();
    html! {
        td { span.bad[matches!(state, BackendState::Unreachable | BackendState::Refusing)] { (state.words()) } }
        td.number {
            @match last {
                Some(at) => { (ago(data.now, at)) " ago" }
                None => { (NOTHING) }
            }
        }
    }
}
