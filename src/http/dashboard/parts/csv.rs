//! Listings as CSV. They are streamed: the store is read as fast as the client takes the text.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::mpsc;

use crate::http::api_error::ApiError;
use crate::http::reads::StoreReads;
use crate::store::{ReadError, Reader};

/// Number of rows that are read at once.
pub(in crate::http::dashboard) const AT_A_TIME: usize = 500;

/// A file with a listing.
pub(in crate::http::dashboard) struct File {
    pub(in crate::http::dashboard) name: &'static str,
    /// Its first line.
    pub(in crate::http::dashboard) header: String,
}

/// A part of a file.
pub(in crate::http::dashboard) struct Part {
    /// Its lines.
    pub(in crate::http::dashboard) lines: String,
    /// Cursor of the next part, if there is one.
    pub(in crate::http::dashboard) next: Option<String>,
}

/// Filter of a listing that is read part by part.
pub(in crate::http::dashboard) trait PartFilter: Clone + Send + 'static {
    /// Makes it the filter of the part at a cursor.
    fn continue_at(&mut self, cursor: String);
}

/// A file that is read part by part. The first part is read before the answer begins, so that a mistake is answered as
/// one. After an error in a later part the connection is closed in the middle of the answer.
pub(in crate::http::dashboard) async fn download<F: PartFilter>(
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

/// A text as a quoted cell (RFC 4180). The file is made to be opened in a spreadsheet, and anybody can write the title
/// of an incident: an apostrophe before a text that could be a formula makes it a text.
pub(in crate::http::dashboard) fn cell(text: &str) -> String {
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
}
