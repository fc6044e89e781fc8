//! Table of deployments, newest end first. On a phone each row is a card.

use maud::{Markup, html};

use super::format::{NO_DATA, count, duration, safe_text, text_or_dash};
use super::links::{self, Failures};
use super::site::Site;
use crate::domain::deployment::Deployment;
use crate::domain::deployment_view::{DeploymentView, PendingRule};
use crate::domain::source_name::SourceName;
use crate::http::api_error::ApiError;
use crate::http::deployment_choice::DeploymentChoice;
use crate::http::reads::StoreReads;
use crate::store::{DeploymentPage, ReadError, Reader};

/// Largest number of failures in a cell.
const MOST_FAILURES: usize = 3;

/// Deployments of a listing, with the failures that they caused and fixed.
pub(in crate::http::dashboard) struct DeploymentRows {
    /// The deployments, and the cursor of the next ones.
    pub(in crate::http::dashboard) page: DeploymentPage,
    failures: Failures,
}

impl DeploymentRows {
    /// Reads the deployments of a choice.
    pub(in crate::http::dashboard) async fn read(
        reads: &StoreReads,
        choice: DeploymentChoice,
        pending: PendingRule,
    ) -> Result<Self, ApiError> {
        reads.read(move |reader| Self::of(reader, &choice, pending)).await
    }

    /// Reads them on this thread.
    pub(in crate::http::dashboard) fn of(
        reader: &Reader,
        choice: &DeploymentChoice,
        pending: PendingRule,
    ) -> Result<Self, ReadError> {
        let page = choice.page(reader, pending)?;
        let lists = page.deployments.iter().flat_map(|view| [&view.failures, &view.remediates]);
        let shown = lists.flat_map(|ids| ids.iter().take(MOST_FAILURES)).map(String::as_str);
        let failures = reader.failures_of_ids(shown)?;
        Ok(Self { page, failures })
    }

    /// The table. `caption` names it for screen readers.
    pub(in crate::http::dashboard) fn table(&self, site: &Site, caption: &str) -> Markup {
        html! {
            div.card {
                table.cards {
                    caption.hidden { (caption) }
                    thead { tr { th scope="col" { "Deployment" } th scope="col" { "Env" } th scope="col" { "Team" }
                        th scope="col" { "Ended" } th.number scope="col" { "Took" } th scope="col" { "Source" }
                        th scope="col" { "Caused" } th scope="col" { "Fixed" } } }
                    tbody { @for view in &self.page.deployments { (row(site, view, &self.failures)) } }
                }
            }
        }
    }

    /// The table of deployments that do not count, with the reasons.
    pub(in crate::http::dashboard) fn ignored_table(&self, site: &Site, caption: &str) -> Markup {
        html! {
            div.card {
                table.cards {
                    caption.hidden { (caption) }
                    thead { tr { th scope="col" { "Deployment" } th scope="col" { "Env" } th scope="col" { "Last event" }
                        th scope="col" { "Source" } th scope="col" { "Reason" } th scope="col" { "Facts" } } }
                    tbody { @for view in &self.page.deployments { (ignored_row(site, view)) } }
                }
            }
        }
    }
}

fn ignored_row(site: &Site, view: &DeploymentView) -> Markup {
    let deployment = &view.deployment;
    html! {
        tr {
            th scope="row" { (links::known_deployment(site, deployment)) }
            td data-label="Env" { (safe_text(&deployment.env)) }
            td.time data-label="Last event" { (site.zone().minute(deployment.finished_at)) }
            td data-label="Source" { (source(&view.source)) }
            td data-label="Reason" { (text_or_dash(view.ignored_because.as_ref())) }
            td data-label="Facts" { @for told in &deployment.tags { div { (safe_text(told)) } } }
        }
    }
}

fn row(site: &Site, view: &DeploymentView, known: &Failures) -> Markup {
    let deployment = &view.deployment;
    html! {
        tr {
            th scope="row" {
                (links::known_deployment(site, deployment))
                @let remarks = remarks(view);
                @if !remarks.is_empty() { div.quiet { (remarks.join(", ")) } }
            }
            td data-label="Env" { (safe_text(&deployment.env)) }
            td data-label="Team" { (links::team(site, deployment.team.as_deref())) }
            td.time data-label="Ended" { (site.zone().minute(deployment.finished_at)) }
            td.number data-label="Took" { (took(deployment)) }
            td data-label="Source" { (source(&view.source)) }
            td data-label="Caused" { (failures(site, view, &view.failures, known)) }
            td data-label="Fixed" { (failures(site, view, &view.remediates, known)) }
        }
    }
}

/// Remarks below the name of a deployment.
fn remarks(view: &DeploymentView) -> Vec<&'static str> {
    let remarks = [
        (view.is_rollback, "rollback"),
        (view.is_pending && !view.has_failed(), "pending: may still fail"),
        (view.ignored_because.is_some(), "ignored"),
    ];
    remarks.into_iter().filter_map(|(is_so, remark)| is_so.then_some(remark)).collect()
}

/// Length of a deployment. Pipelines that send one time alone have none.
pub(in crate::http::dashboard) fn took(deployment: &Deployment) -> String {
    let is_known = deployment.finished_at > deployment.started_at;
    duration(is_known.then(|| deployment.finished_at.duration_since(deployment.started_at).as_secs_f64()))
}

/// Source of a deployment, for people.
pub(in crate::http::dashboard) fn source(source: &SourceName) -> String {
    if *source == SourceName::API { "event API".to_owned() } else { safe_text(source.as_str()) }
}

fn failures(site: &Site, view: &DeploymentView, ids: &[String], known: &Failures) -> Markup {
    let more = ids.len().saturating_sub(MOST_FAILURES);
    html! {
        @if ids.is_empty() { (NO_DATA) }
        @for id in ids.iter().take(MOST_FAILURES) { div { (links::failure_of_id(site, id, known)) } }
        @if more > 0 {
            div { a href=(site.deployment(view.deployment.id.as_str())) { (more_failures(more)) } }
        }
    }
}

/// `5 more failures`.
pub(in crate::http::dashboard) fn more_failures(more: usize) -> String {
    count(u64::try_from(more).unwrap_or(u64::MAX), "more failure")
}
