//! Deployments as CSV.

use axum::response::Response;

use super::csv::{File, Part, PartFilter, cell, download};
use crate::domain::deployment::Deployment;
use crate::domain::deployment_view::{DeploymentView, PendingRule};
use crate::http::api_error::ApiError;
use crate::http::deployment_choice::DeploymentChoice;
use crate::http::reads::StoreReads;
use crate::store::Reader;

const HEADER: &str = "id,source,service,team,env,version,commit_sha,repository_url,started_at,finished_at,tags,\
    failed,failures,remediation,remediates,is_rollback,pending,ignored,reason\r\n";

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
    let file = File { name: "deployments.csv", header: HEADER };
    let part = move |reader: &Reader, choice: &DeploymentChoice| {
        let page = choice.page(reader, pending)?;
        let lines = page.deployments.iter().map(|view| cells(view).join(",") + "\r\n").collect();
        Ok(Part { lines, next: page.next })
    };
    download(file, reads, choice, part).await
}

fn cells(view: &DeploymentView) -> [String; 19] {
    let Deployment {
        id,
        service,
        team,
        env,
        started_at,
        finished_at,
        version,
        commit_sha,
        repository_url,
        tags,
    } = &view.deployment;
    let text = |text: Option<&String>| text.map(|text| cell(text)).unwrap_or_default();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let remediation = view.remediation.as_ref();
    [
        cell(id.as_str()),
        cell(view.source.as_str()),
        cell(service),
        text(team.as_ref()),
        cell(env),
        text(version.as_ref()),
        text(commit_sha.as_ref()),
        text(repository_url.as_ref()),
        started_at.to_string(),
        finished_at.to_string(),
        cell(&tags.join("; ")),
        view.has_failed().to_string(),
        cell(&view.failures.join("; ")),
        remediation.map(|deployment| cell(deployment.id.as_str())).unwrap_or_default(),
        cell(&view.remediates.join("; ")),
        view.is_rollback.to_string(),
        view.is_pending.to_string(),
        view.ignored_because.is_some().to_string(),
        text(view.ignored_because.as_ref()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests::deployment;
    use crate::domain::source_name::SourceName;

    #[test]
    fn a_line_has_a_cell_for_each_name_in_the_header() {
        let view = DeploymentView {
            deployment: deployment("1", "checkout", "10:00", "10:05"),
            source: SourceName::API,
            failures: Vec::new(),
            remediation: None,
            remediates: Vec::new(),
            is_rollback: false,
            is_pending: false,
            ignored_because: None,
        };
        assert_eq!(HEADER.trim_end().split(',').count(), cells(&view).len());
    }
}
