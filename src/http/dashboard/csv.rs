//! Listings as CSV, and failures as one. They are streamed: the store is read as fast as the client takes the text.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::mpsc;

use super::failure_table::FailureRows;
use crate::domain::deployment::Deployment;
use crate::domain::failure::Failure;
use crate::domain::timestamp::Timestamp;
use crate::http::api_error::ApiError;
use crate::http::reads::StoreReads;
use crate::store::{FailureFilter, ListedFailure, ReadError, Reader};

/// Number of rows that are read at once.
pub(super) const AT_A_TIME: usize = 500;

const HEADER: &str = "id,number,title,url,state,reason,services,team,env,severity,started_at,finished_at,\
    acknowledged_at,time_to_restore_seconds,deployment,deployment_service,deployment_version,deployment_commit\r\n";

/// A file with a listing.
pub(super) struct File {
    pub(super) name: &'static str,
    /// Its first line.
    pub(super) header: String,
}

/// A part of a file.
pub(super) struct Part {
    /// Its lines.
    pub(super) lines: String,
    /// Cursor of the next part, if there is one.
    pub(super) next: Option<String>,
}

/// Filter of a listing that is read part by part.
pub(super) trait PartFilter: Clone + Send + 'static {
    /// Makes it the filter of the part at a cursor.
    fn continue_at(&mut self, cursor: String);
}

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

/// A file that is read part by part. The first part is read before the answer begins, so that a mistake is answered as
/// one. After an error in a later part the connection is closed in the middle of the answer.
pub(super) async fn download<F: PartFilter>(
    file: File,
    reads: StoreReads,
    mut filter: F,
    part: impl Fn(&Reader, &F) -> Result<Part, ReadError> + Copy + Send + 'static,
) -> Result<Response, ApiError> {
    let read = move |filter: F| {
        let reads = reads.clone();
        async move { reads.read(move |reader| part(reader, &filter)).await }
    };
    let mut part = read(filter.clone()).await?;
    let mut text = file.header;
    // One part waits while the next one is read.
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            text.push_str(&part.lines);
            if sender.send(Ok(Bytes::from(std::mem::take(&mut text)))).await.is_err() {
                return;
            }
            let Some(next) = part.next else { return };
            filter.continue_at(next);
            let Ok(more) = read(filter.clone()).await else {
                // Nobody waits for the error if the client has gone.
                let _ = sender.send(Err(Unfinished)).await;
                return;
            };
            part = more;
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.name)),
    ];
    Ok((headers, Body::new(Parts(receiver))).into_response())
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

/// A text as a quoted cell (RFC 4180). The file is made to be opened in a spreadsheet, and anybody can write the title
/// of an incident: an apostrophe before a text that could be a formula makes it a text.
pub(super) fn cell(text: &str) -> String {
    let is_formula =
        text.trim_start().starts_with(['=', '+', '-', '@', '|', '%']) || text.starts_with(['\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('\0', "").replace('"', "\"\""))
}

/// The store could not be read to the end.
#[derive(Debug, thiserror::Error)]
#[error("the store could not be read to the end")]
struct Unfinished;

/// Body of an answer, part by part.
struct Parts(mpsc::Receiver<Result<Bytes, Unfinished>>);

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = Unfinished;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unfinished>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::tests::completed;

    #[test]
    fn a_text_is_no_formula_and_cannot_leave_its_cell() {
        for (text, expected) in [
            ("plain", "\"plain\""),
            ("say \"hi\", you", "\"say \"\"hi\"\", you\""),
            ("=1+1", "\"'=1+1\""),
            (" =1+1", "\"' =1+1\""),
            ("+41 44", "\"'+41 44\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("two\r\nlines", "\"two\r\nlines\""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_has_a_cell_for_each_name_in_the_header() {
        assert_eq!(HEADER.trim_end().split(',').count(), cells(&completed().failure, None).len());
    }
}
