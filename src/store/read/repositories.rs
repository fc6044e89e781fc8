//! Which repositories have to be read from their source's API, and up to which time they were read.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::reader::Reader;
use crate::domain::deployment_event::DeploymentState;
use crate::domain::deployment_history::DeploymentHistory;
use crate::domain::id::SourceDeploymentId;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::json::from_json;
use crate::store::engine::progress;
use crate::store::engine::sql::{self, Row, params};

/// A deployment of which no event has told the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnfinishedDeployment {
    /// Address of its repository.
    pub repository_url: String,
    /// Its id at the source.
    pub id: SourceDeploymentId,
}

/// Greatest number of unfinished deployments that are listed, the latest first.
const MOST_UNFINISHED: usize = 500;

impl Reader {
    /// Time up to which the deployments of a repository were read. `None` if they were never read.
    pub fn deployments_read_up_to(&self, repository: &str) -> Result<Option<Timestamp>, ReadError> {
        let nanos = progress::get(&self.lock(), &progress::read_up_to(repository))?;
        Ok((nanos > 0).then(|| Timestamp::from_nanos(nanos)))
    }

    /// Addresses of all repositories that the events of a source have told of.
    pub fn repositories_of(&self, source: &SourceName) -> Result<BTreeSet<String>, ReadError> {
        const SQL: &str = "SELECT facts FROM stored_deployment WHERE source = ?1";
        let db = self.lock();
        let mut addresses = BTreeSet::new();
        db.each(SQL, params![source.as_str()], |row| {
            addresses.extend(repository_url(row, 0)?);
            Ok(())
        })?;
        Ok(addresses)
    }

    /// Deployments of a source that had not ended by their last event, which came after `since`.
    pub fn unfinished_deployments(
        &self,
        source: &SourceName,
        since: Timestamp,
    ) -> Result<BTreeSet<UnfinishedDeployment>, ReadError> {
        const SQL: &str = "SELECT facts, id_at_source, history
            FROM stored_deployment JOIN source_deployment ON source_deployment.id = stored_deployment.source_deployment
            WHERE counts = 0 AND source = ?1 AND finished_at_ns > ?2 ORDER BY finished_at_ns DESC";
        let db = self.lock();
        let mut unfinished = BTreeSet::new();
        db.find(SQL, params![source.as_str(), since.as_nanos()], |row| {
            let Some(repository_url) = repository_url(row, 0)? else { return Ok(None) };
            let (id, history) = (row.text(1)?, from_json::<DeploymentHistory>(row.text(2)?));
            // A damaged history is reported when the next event is folded.
            if history.is_ok_and(|history| history.state().is_some_and(is_unfinished)) {
                let id = SourceDeploymentId::parse(id);
                unfinished.extend(id.map(|id| UnfinishedDeployment { repository_url, id }));
            }
            Ok((unfinished.len() == MOST_UNFINISHED).then_some(()))
        })?;
        Ok(unfinished)
    }
}

/// Address of the repository of the deployment whose facts are in this column.
fn repository_url(row: &Row<'_>, column: usize) -> sql::Result<Option<String>> {
    #[derive(Deserialize)]
    struct Deployed {
        repository_url: Option<String>,
    }
    let Deployed { repository_url } = from_json(row.text(column)?)?;
    Ok(repository_url)
}

const fn is_unfinished(state: DeploymentState) -> bool {
    matches!(state, DeploymentState::Waiting | DeploymentState::Queued | DeploymentState::InProgress)
}
