//! Reads of the store for answers.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;

use super::api_error::ApiError;
use crate::log_limit::LogLimit;
use crate::store::{ReadError, Reader};

/// Log of failed reads. Clones share one limit.
#[derive(Debug, Clone, Default)]
pub(super) struct ReadLog(Arc<LogLimit>);

impl ReadLog {
    /// Value that was read, or an error for the client. The details of the error go to the log only.
    pub(super) fn answered<T>(
        &self,
        read: Result<Result<T, ReadError>, impl Display>,
    ) -> Result<T, ApiError> {
        match read {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error @ ReadError::Cursor)) => Err(ApiError::bad_query(error)),
            Ok(Err(error)) => {
                if let Some(held_back) = self.0.pass(Instant::now()) {
                    tracing::error!(%error, held_back, "the store could not be read");
                }
                let detail = "The store could not be read: the log says why.";
                Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail))
            }
            Err(error) => {
                tracing::error!(%error, "a read of the store did not finish");
                Err(ApiError::internal())
            }
        }
    }
}

/// Reader of the store for tasks that must not block.
#[derive(Clone)]
pub(super) struct StoreReads {
    reader: Reader,
    log: ReadLog,
}

impl StoreReads {
    /// Reads by `reader`. Failures go to `log`.
    pub(super) fn new(reader: Reader, log: ReadLog) -> Self {
        Self { reader, log }
    }

    /// Reads on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let reader = self.reader.clone();
        self.log.answered(tokio::task::spawn_blocking(move || read(&reader)).await)
    }
}
