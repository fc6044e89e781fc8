//! State of each backend in words.

use super::data::HealthData;
use super::row::HealthRow;
use crate::domain::lane::{BackendState, Lane};
use crate::http::dashboard::parts::format::{NO_DATA, ago, count, safe_text};
use crate::http::dashboard::parts::page::Section;
use crate::store::BackendStatus;

/// A row for each backend and credential, and one for each backend with suspect rows.
pub(super) fn rows(data: &HealthData) -> Vec<HealthRow> {
    let statuses = data.gauges.backends.iter();
    let mut rows: Vec<HealthRow> = statuses
        .filter(|status| data.backends.contains(&status.backend))
        .map(|status| row(data, status))
        .collect();
    rows.extend(data.gauges.outbox.iter().filter(|outbox| outbox.suspect > 0).map(|outbox| HealthRow {
        about: format!("Suspect rows of {}", safe_text(&outbox.backend)),
        says: format!(
            "{} failed in several attempts, while the backend accepted others: it may never accept them. \
             Retry or discard them on the page Outbox (or `pagerduty-dora outbox`).",
            count(outbox.suspect, "row")
        ),
        must_act: true,
        page: Some(Section::Outbox),
    }));
    rows.extend(data.gauges.outbox.iter().filter(|outbox| outbox.dead > 0).map(|outbox| HealthRow {
        about: format!("Dead rows of {}", safe_text(&outbox.backend)),
        says: format!(
            "The backend rejected {} for good. Correct the cause, then retry or discard them on the page \
             Outbox (or `pagerduty-dora outbox`).",
            count(outbox.dead, "row")
        ),
        must_act: true,
        page: Some(Section::Outbox),
    }));
    rows
}

fn row(data: &HealthData, status: &BackendStatus) -> HealthRow {
    let waiting = count(status.waiting, "row");
    let since = status.since.map(|at| format!(" for {}", ago(data.now, at))).unwrap_or_default();
    let zone = data.site.zone();
    let next = status.next_attempt_at.map_or_else(|| NO_DATA.to_owned(), |at| zone.second_text(at));
    let says = match status.state {
        BackendState::Idle => "No row waits.".to_owned(),
        BackendState::Delivering => format!("The backend accepts requests. {waiting} to be sent."),
        BackendState::RateLimited => {
            format!("The backend asks to wait{since}. {waiting} to be sent, next attempt at {next}.")
        }
        BackendState::Unreachable => format!(
            "The backend does not answer, or only with errors{since}. {waiting} to be sent, next attempt at {next}. \
             Check that the backend is up and that its `url` is right."
        ),
        BackendState::Refusing => format!(
            "The backend refuses our credentials{since}. {waiting} to be sent, next attempt at {next}. Put the right \
             key where its [[backend]] entry says, then reload or restart."
        ),
    };
    let must_act = matches!(status.state, BackendState::Unreachable | BackendState::Refusing);
    let last = status.last_error.as_ref().filter(|_| must_act).map(|error| {
        let what = if status.last_status.is_some() { "answer" } else { "error" };
        format!(" Last {what}: {}.", safe_text(error))
    });
    HealthRow {
        about: name(status),
        says: says + &last.unwrap_or_default(),
        must_act,
        page: Some(Section::Outbox),
    }
}

fn name(status: &BackendStatus) -> String {
    match status.lane {
        Lane::Main => format!("Backend {}", safe_text(&status.backend)),
        Lane::ApplicationKey => format!("Backend {}, application key", safe_text(&status.backend)),
    }
}
