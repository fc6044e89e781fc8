//! Interface of the APIs that deployments are read from.

use std::collections::BTreeSet;
use std::time::Duration;

use super::error::ApiError;
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

/// Answers about a repository, as events.
#[derive(Debug, Clone, Default)]
pub struct ReadRepository {
    /// The events, each with an id that is the same in each reading.
    pub events: Vec<ReadEvent>,
    /// Time of the first answer by the API's clock, if it was said.
    pub at: Option<Timestamp>,
}
