//! Failures as CSV.

use axum::response::Response;

use crate::domain::deployment::Deployment;
use crate::domain::failure::Failure;
use crate::domain::timestamp::Timestamp;
use crate::http::api_error::ApiError;
use crate::http::dashboard::parts::csv::{File, Part, PartFilter, cell, download};
use crate::http::dashboard::parts::failure_table::FailureRows;
use crate::http::reads::StoreReads;
use crate::store::{FailureFilter, ListedFailure, Reader};

const HEADER: &str = "id,number,title,url,state,reason,services,team,env,severity,started_at,finished_at,\
    acknowledged_at,time_to_restore_seconds,deployment,deployment_service,deployment_version,deployment_commit\r\n";

impl PartFilter for FailureFilter {
    fn continue_at(&mut self, cursor: String) {
        self.cursor = Some(cursor);
    }
}

/// The failures that pass a filter, newest first.
pub(super) async fn failures(reads: StoreReads, filter: FailureFilter) -> Result<Response, ApiError> {
    let file = File { name: "failures.csv", header: HEADER.to_owned() };
    let part = |reader: &Reader, filter: &FailureFilter| {
        let rows = FailureRows::of(reader, filter)?;
        let lines = rows.page.failures.iter().map(|listed| line(listed, &rows)).collect();
        Ok(Part { lines, next: rows.page.next })
    };
    download(file, reads, filter, part).await
}

fn line(ListedFailure { failure, .. }: &ListedFailure, rows: &FailureRows) -> String {
    let cause = failure.deployment.as_ref().and_then(|id| rows.causes.get(id));
    cells(failure, cause).join(",") + "\r\n"
}

fn cells(failure: &Failure, cause: Option<&Deployment>) -> [String; 18] {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let text = |text: Option<&String>| text.map(|text| cell(text)).unwrap_or_default();
    [
        cell(failure.id.as_str()),
        failure.number.map(|number| number.to_string()).unwrap_or_default(),
        text(failure.title.as_ref()),
        text(failure.url.as_ref()),
        failure.state.as_str().to_owned(),
        text(failure.reason.as_ref()),
        cell(&failure.services.join("; ")),
        text(failure.team.as_ref()),
        cell(&failure.env),
        text(failure.severity.as_ref()),
        failure.started_at.to_string(),
        time(failure.finished_at),
        time(failure.acknowledged_at),
        failure.time_to_restore_seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
        text(failure.deployment.as_ref()),
        cause.map(|cause| cell(&cause.service)).unwrap_or_default(),
        text(cause.and_then(|cause| cause.version.as_ref())),
        text(cause.and_then(|cause| cause.commit_sha.as_ref())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::tests::completed;

    #[test]
    fn a_line_has_a_cell_for_each_name_in_the_header() {
        assert_eq!(HEADER.trim_end().split(',').count(), cells(&completed().failure, None).len());
    }
}
