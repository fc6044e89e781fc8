//! Deployments as CSV.

use axum::response::Response;

use crate::domain::deployment_view::{DeploymentView, PendingRule};
use crate::http::api_error::ApiError;
use crate::http::dashboard::parts::csv::{File, Part, PartFilter, cell, download};
use crate::http::deployment_choice::DeploymentChoice;
use crate::http::deployment_fields::{FIELDS, FieldValue};
use crate::http::reads::StoreReads;
use crate::store::Reader;

impl PartFilter for DeploymentChoice {
    fn continue_at(&mut self, cursor: String) {
        Self::continue_at(self, cursor);
    }
}

/// The deployments of a choice, newest end first.
pub(super) async fn deployments(
    reads: StoreReads,
    choice: DeploymentChoice,
    pending: PendingRule,
) -> Result<Response, ApiError> {
    let file = File { name: "deployments.csv", header: header() };
    let part = move |reader: &Reader, choice: &DeploymentChoice| {
        let page = choice.page(reader, pending)?;
        let lines = page.deployments.iter().map(line).collect();
        Ok(Part { lines, next: page.next })
    };
    download(file, reads, choice, part).await
}

fn header() -> String {
    FIELDS.map(|(name, _)| name).join(",") + "\r\n"
}

fn line(view: &DeploymentView) -> String {
    let in_cell = |(_, of): (_, fn(&DeploymentView) -> FieldValue<'_>)| match of(view) {
        FieldValue::Text(text) => text.map(cell).unwrap_or_default(),
        FieldValue::Texts(texts) => cell(&texts.join("; ")),
        FieldValue::Time(time) => time.map(|time| time.to_string()).unwrap_or_default(),
        FieldValue::Flag(flag) => flag.to_string(),
    };
    FIELDS.map(in_cell).join(",") + "\r\n"
}
