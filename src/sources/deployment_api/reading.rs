//! Interface of the APIs that deployments are read from.

use std::collections::BTreeSet;
use std::time::Duration;

use super::error::{ApiError, ApiProblem};
use crate::domain::event::ReadEvent;
use crate::domain::source::Source;
use crate::domain::timestamp::Timestamp;

/// An API that deployments are read from.
pub trait DeploymentApi: Send + Sync + 'static {
    /// The source of the events that are read.
    const READ: &'static Source;
    /// The source whose webhooks tell of the same events.
    const SENT: &'static Source;

    /// Host of the repositories' web pages.
    fn host(&self) -> &str;

    /// Reads the statuses of those deployments of a repository that changed in a window.
    fn read(
        &self,
        repository: &str,
        window: Window<'_>,
    ) -> impl Future<Output = Result<ReadRepository, ApiError>> + Send;
}

/// Part of a repository's deployments that is read.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// Changes before this time are known.
    pub since: Timestamp,
    /// Changes within this time before the answer are left to their webhooks.
    pub left_to_webhooks: Duration,
    /// Numbers of deployments that are read in any case: no event has told of their ends.
    pub unfinished: &'a BTreeSet<u64>,
}

/// Number of failed requests about single deployments after which the others of the repository are left to the next
/// reading: each may take minutes.
const MOST_FAILED: usize = 3;

/// Answers about a repository, as events.
#[derive(Debug, Clone, Default)]
pub struct ReadRepository {
    /// The events, each with an id that is the same in each reading.
    pub events: Vec<ReadEvent>,
    /// Time of the first answer by the API's clock, if it was said.
    pub at: Option<Timestamp>,
    /// Records that are not understood: which, and the reason. They will be the same in the next reading.
    pub left_out: BTreeSet<String>,
    /// Failed requests about single deployments. They may succeed in the next reading.
    pub failed: Vec<ApiError>,
}

impl ReadRepository {
    /// Notes a request about a single deployment that failed.
    ///
    /// # Errors
    /// The error, if the rest of the repository cannot be read either.
    pub(in crate::sources) fn note_failed(&mut self, number: u64, error: ApiError) -> Result<(), ApiError> {
        if let ApiProblem::TooLong(_) | ApiProblem::TooLarge(_) = error.problem {
            self.left_out.insert(format!("deployment {number}: {error}"));
            return Ok(());
        }
        if error.is_about_all() || error.is_about_repository() {
            return Err(error);
        }
        // Deployments share an environment, which is asked for once.
        if !self.failed.contains(&error) {
            self.failed.push(error);
        }
        Ok(())
    }

    /// `true` if so many requests have failed that no more are sent.
    pub(in crate::sources) const fn has_failed_often(&self) -> bool {
        self.failed.len() >= MOST_FAILED
    }
}
