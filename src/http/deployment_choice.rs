//! Choice of the deployments of a listing: the filter of the store, and the outcome.

use crate::domain::deployment_view::PendingRule;
use crate::store::{DeploymentFilter, DeploymentPage, ReadError, Reader};

/// Largest number of reads for one page. Where nearly all deployments failed, a page may have fewer than its limit.
const MOST_READS: usize = 50;

/// Deployments to list.
#[derive(Debug, Clone)]
pub(super) struct DeploymentChoice {
    filter: DeploymentFilter,
    /// `true` if only deployments are listed that did not fail.
    without_failed: bool,
}

impl DeploymentChoice {
    /// The deployments that pass a filter: only those that failed, only those that did not, or both.
    pub(super) fn new(filter: DeploymentFilter, failed: Option<bool>) -> Self {
        Self {
            filter: DeploymentFilter { failed: failed == Some(true), ..filter },
            without_failed: failed == Some(false),
        }
    }

    /// Makes it the choice of the page at a cursor.
    pub(super) fn continue_at(&mut self, cursor: String) {
        self.filter.cursor = Some(cursor);
    }

    /// The page. The store has an index of the failed deployments only, so the others are what is left of all. They are
    /// most of all, so few reads fill a page.
    pub(super) fn page(&self, reader: &Reader, pending: PendingRule) -> Result<DeploymentPage, ReadError> {
        let mut page = reader.deployments(&self.filter, pending)?;
        if !self.without_failed {
            return Ok(page);
        }
        page.deployments.retain(|view| !view.has_failed());
        for _ in 1..MOST_READS {
            let missing = self.filter.limit.saturating_sub(page.deployments.len());
            let Some(cursor) = page.next.take_if(|_| missing > 0) else { break };
            let filter = DeploymentFilter { limit: missing, cursor: Some(cursor), ..self.filter.clone() };
            let more = reader.deployments(&filter, pending)?;
            page.next = more.next;
            page.deployments.extend(more.deployments.into_iter().filter(|view| !view.has_failed()));
        }
        Ok(page)
    }
}
