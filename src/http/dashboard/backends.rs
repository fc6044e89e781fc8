//! Standing of each backend, in sentences.

use maud::{Markup, html};

use super::health_row::HealthRow;
use super::shown::Shown;
use super::words::{NOTHING, ago, count, said, second};
use crate::domain::lane::{BackendState, Lane};
use crate::store::Standing;

/// A row for each backend and credential, and one for the rows that only their backend's errors hold back.
pub(super) fn rows(shown: &Shown) -> Vec<HealthRow> {
    let standings = shown.gauges.standings.iter();
    let mut rows: Vec<HealthRow> = standings
        .filter(|standing| shown.backends.contains(&standing.backend))
        .map(|standing| row(shown, standing))
        .collect();
    rows.extend(shown.gauges.outbox.iter().filter(|outbox| outbox.suspect > 0).map(|outbox| HealthRow {
        about: format!("Suspect rows of {}", said(&outbox.backend)),
        says: format!(
            "{} not accepted in several attempts, while the backend accepts others: it may never accept them (or it shows \
             an older state, and refused to be sent the newest one once more). See `pagerduty-dora outbox`, where they \
             are marked as suspect; `outbox retry ID` tries one now, `outbox discard ID` gives one up.",
            count(outbox.suspect, "row")
        ),
        must_act: true,
    }));
    rows
}

fn row(shown: &Shown, standing: &Standing) -> HealthRow {
    let waiting = count(standing.waiting, "row");
    let since = standing.since.map(|at| format!(" for {}", ago(shown.now, at))).unwrap_or_default();
    let next = standing.next_attempt_at.map_or_else(|| NOTHING.to_owned(), second);
    let says = match standing.state {
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
    let must_act = matches!(standing.state, BackendState::Unreachable | BackendState::Refusing);
    let last = standing.last_error.as_ref().filter(|_| must_act).map(|error| {
        let what = if standing.last_status.is_some() { "answer" } else { "error" };
        format!(" Last {what}: {}.", said(error))
    });
    HealthRow { about: name(standing), says: says + &last.unwrap_or_default(), must_act }
}

fn name(standing: &Standing) -> String {
    match standing.lane {
        Lane::Main => format!("Backend {}", said(&standing.backend)),
        Lane::ApplicationKey => format!("Backend {}, application key", said(&standing.backend)),
    }
}

/// The state of a backend, the worse one where it has two credentials, and when it last accepted a request.
pub(super) fn cells(shown: &Shown, backend: &str) -> Markup {
    let own = || shown.gauges.standings.iter().filter(|standing| standing.backend == backend);
    let state = own().map(|standing| standing.state).max().unwrap_or(BackendState::Idle);
    let last = own().filter_map(|standing| standing.last_success_at).max();
    html! {
        td { span.bad[matches!(state, BackendState::Unreachable | BackendState::Refusing)] { (state.words()) } }
        td.number {
            @match last {
                Some(at) => { (ago(shown.now, at)) " ago" }
                None => { (NOTHING) }
            }
        }
    }
}
