//! Table of failures, newest first. On a phone each row is a card.

use maud::{Markup, html};

use super::format::{ago, duration, safe_text, state, text_or_dash};
use super::links::{self, Deployments};
use super::site::Site;
use crate::domain::failure::{Failure, FailureState};
use crate::domain::timestamp::Timestamp;
use crate::http::api_error::ApiError;
use crate::http::reads::StoreReads;
use crate::store::{FailureFilter, FailurePage, ListedFailure, ReadError, Reader};

/// Failures of a listing, with the deployments that caused them.
pub(in crate::http::dashboard) struct FailureRows {
    /// The failures, and the cursor of the next ones.
    pub(in crate::http::dashboard) page: FailurePage,
    /// The deployments that caused them.
    pub(in crate::http::dashboard) causes: Deployments,
}

impl FailureRows {
    /// Reads the failures that pass a filter.
    pub(in crate::http::dashboard) async fn read(
        reads: &StoreReads,
        filter: FailureFilter,
    ) -> Result<Self, ApiError> {
        reads.read(move |reader| Self::of(reader, &filter)).await
    }

    /// Reads them on this thread.
    pub(in crate::http::dashboard) fn of(reader: &Reader, filter: &FailureFilter) -> Result<Self, ReadError> {
        let page = reader.failures(filter)?;
        let ids = page.failures.iter().filter_map(|listed| listed.failure.deployment.as_deref());
        let causes = reader.deployments_of_ids(ids)?;
        Ok(Self { page, causes })
    }

    /// The table. `caption` names it for screen readers.
    pub(in crate::http::dashboard) fn table(&self, site: &Site, now: Timestamp, caption: &str) -> Markup {
        html! {
            div.card {
                table.cards {
                    caption.hidden { (caption) }
                    thead { tr { th scope="col" { "Failure" } th scope="col" { "Service" } th scope="col" { "Severity" }
                        th scope="col" { "State" } th scope="col" { "Started" } th.number scope="col" { "Duration" }
                        th scope="col" { "Caused by" } } }
                    tbody { @for ListedFailure { failure, .. } in &self.page.failures {
                        (row(site, failure, &self.causes, now))
                    } }
                }
            }
        }
    }
}

fn row(site: &Site, failure: &Failure, causes: &Deployments, now: Timestamp) -> Markup {
    html! {
        tr {
            th scope="row" {
                (links::failure(site, failure))
                @if let Some(reason) = &failure.reason { div.quiet { "reason: " (safe_text(reason)) } }
            }
            td data-label="Service" { (links::services(site, &failure.services)) }
            td data-label="Severity" { (text_or_dash(failure.severity.as_ref())) }
            td data-label="State" { (state(failure.state)) (links::merged_into(site, failure)) }
            td.time data-label="Started" { (site.zone().minute(failure.started_at)) }
            td.number data-label="Duration" { (lasted(failure, now)) }
            td data-label="Caused by" { (links::deployment(site, failure.deployment.as_deref(), causes)) }
        }
    }
}

/// Duration of a failure. One that is open has lasted until now.
pub(in crate::http::dashboard) fn lasted(failure: &Failure, now: Timestamp) -> Markup {
    html! {
        @if failure.state == FailureState::Open {
            span.bad { (ago(now, failure.started_at)) } " so far"
        } @else { (duration(failure.time_to_restore_seconds)) }
    }
}
