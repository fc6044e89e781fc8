//! Table of rows of the outbox.

use maud::{Markup, html};

use crate::domain::forwarding::Subject;
use crate::http::dashboard::parts::form::{FormPage, button};
use crate::http::dashboard::parts::format::{NO_DATA, safe_text};
use crate::http::dashboard::parts::links::{self, Deployments};
use crate::http::dashboard::parts::site::Site;
use crate::store::{OutboxRow, ReadError, Reader, RowState};

/// The rows, with a button for each that can be retried.
pub(super) fn rows(site: &Site, rows: &[OutboxRow], known: &Deployments, token: &str) -> Markup {
    html! {
        div.card {
            table.cards {
                caption.hidden { "Rows of the outbox, oldest first" }
                thead { tr { th scope="col" { "Subject" } th scope="col" { "Backend" } th.number scope="col" { "Revision" }
                    th scope="col" { "State" } th.number scope="col" { "Attempts" } th scope="col" { "Next attempt" }
                    th scope="col" { "Last answer" } th scope="col" { "Action" } } }
                tbody { @for row in rows { (one(site, row, known, token)) } }
            }
        }
    }
}

fn one(site: &Site, row: &OutboxRow, known: &Deployments, token: &str) -> Markup {
    let state = row.state.as_str();
    html! {
        tr {
            th scope="row" { (subject(site, &row.subject, known)) }
            td data-label="Backend" { (safe_text(&row.backend)) }
            td.number data-label="Revision" { (row.revision) }
            td data-label="State" {
                span.state.bad[row.state == RowState::Dead] { (state) @if row.suspect { ", suspect" } @if row.repeats { ", repeat" } }
            }
            td.number data-label="Attempts" { (row.attempts + row.refusals) }
            td.time data-label="Next attempt" {
                @match row.next_attempt_at { Some(at) => { (site.zone().second(at)) } None => { (NO_DATA) } }
            }
            td data-label="Last answer" { (last_answer(row.last_status, row.last_error.as_ref())) }
            td.actions data-label="Action" {
                @if matches!(row.state, RowState::Dead | RowState::Pending) {
                    @let about = format!("Retry {} at {}", safe_text(row.subject.id()), safe_text(&row.backend));
                    (button(token, &site.link(&format!("outbox/{}/retry", row.id)), &FormPage::Outbox, "Retry", &about))
                }
            }
        }
    }
}

/// The deployments that rows are about.
pub(super) fn deployments<'a>(
    reader: &Reader,
    subjects: impl Iterator<Item = &'a Subject>,
) -> Result<Deployments, ReadError> {
    reader.deployments_of_ids(subjects.filter_map(|subject| match subject {
        Subject::Failure(_) => None,
        Subject::Deployment(id) => Some(id.as_str()),
    }))
}

/// Link to the subject of a row.
pub(super) fn subject(site: &Site, subject: &Subject, known: &Deployments) -> Markup {
    html! { @match subject {
        Subject::Failure(id) => { a href=(site.failure(id)) { (safe_text(id)) } }
        Subject::Deployment(id) => { "deployment " (links::deployment(site, Some(id), known)) }
    } }
}

/// Last answer of a row. The error names the status, if there was one.
pub(super) fn last_answer(status: Option<u16>, error: Option<&String>) -> Markup {
    html! {
        @match (error, status) {
            (Some(error), _) => { (safe_text(error)) }
            (None, Some(status)) => { "HTTP " (status) }
            (None, None) => { (NO_DATA) }
        }
    }
}
