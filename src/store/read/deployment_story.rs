//! Everything that is known of one deployment: its links, the reasons for its values, and its attempts.

use rusqlite::{Connection, OptionalExtension};

use super::deployments::view;
use super::forwarded::{Forwarded, forwarded_deployment};
use super::marks::{mark_names, marks};
use super::reader::Reader;
use super::story::{AttemptRecord, ReceivedEvent, attempts};
use crate::domain::deployment::Deployment;
use crate::domain::deployment_view::{DeploymentView, PendingRule};
use crate::domain::explain::Why;
use crate::domain::explain_deployment::{
    CausedLink, DeploymentFacts, explain_deployment, explain_forwarded, not_forwarded,
};
use crate::domain::forwarding::BackendEntry;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::json::from_json;
use crate::store::outbox::desired::deployment_before;
use crate::store::state::failure::stored;

/// A deployment's whole story.
#[derive(Debug)]
pub struct DeploymentStory {
    /// The deployment.
    pub deployment: DeploymentView,
    /// The events about it, in the order in which they were received. A request to the event API is none.
    pub events: Vec<ReceivedEvent>,
    /// Reasons for its values.
    pub why: Vec<Why>,
    /// Attempts to send the deployment and its marks to backends, oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// Time at which its present values were received. `None`: an older version of the program did not note it.
    pub received_at: Option<Timestamp>,
    /// Progress of the deployment itself at each backend.
    pub forwarded: Vec<Forwarded>,
    /// The deployment of its service to its env just before it.
    pub before: Option<Deployment>,
}

impl Reader {
    /// The story of the deployment with this id. `None` if it is not known.
    pub fn deployment_story(
        &self,
        id: &str,
        pending: PendingRule,
        backend_entries: &[BackendEntry],
    ) -> Result<Option<DeploymentStory>, ReadError> {
        const SQL: &str = "SELECT id, facts, received_at_ns FROM deployment WHERE deployment_id = ?1";
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.transaction()?;
        let found = db.prepare_cached(SQL)?.query_row([id], |row| {
            let received_at_ns: Option<i64> = row.get(2)?;
            let deployment = from_json(row.get_ref(1)?.as_str()?)?;
            Ok(StoredDeployment {
                row: row.get(0)?,
                deployment,
                received_at: received_at_ns.map(Timestamp::from_nanos),
            })
        });
        Ok(found.optional()?.map(|found| story(&db, found, pending, backend_entries)).transpose()?)
    }
}

struct StoredDeployment {
    row: i64,
    deployment: Deployment,
    received_at: Option<Timestamp>,
}

fn story(
    db: &Connection,
    StoredDeployment { row, deployment, received_at }: StoredDeployment,
    pending: PendingRule,
    backend_entries: &[BackendEntry],
) -> rusqlite::Result<DeploymentStory> {
    const ATTEMPTS: &str = "SELECT backend, revision, ended_at_ns, status, error
        FROM attempt JOIN outbox ON outbox.id = attempt.outbox
        WHERE deployment = ?1 ORDER BY ended_at_ns, backend, revision, number";
    let (view, remediation_kind) = view(db, row, deployment, pending)?;
    let caused = caused(db, row)?;
    let facts = DeploymentFacts { view: &view, received_at, caused: &caused, remediation_kind };
    let mut why = explain_deployment(facts, pending);
    let forwarded = forwarded_deployment(db, row)?;
    why.extend(explain_all(&forwarded));
    why.extend(marks(db, row)?);
    why.extend(mark_names(db, row, view.has_failed(), backend_entries)?);
    let attempts = attempts(db, ATTEMPTS, row)?;
    let before = deployment_before(db, &view.deployment)?;
    Ok(DeploymentStory {
        deployment: view,
        events: Vec::new(),
        why,
        attempts,
        received_at,
        forwarded,
        before,
    })
}

/// The failures that count and that a deployment caused, each with the rule that linked it.
fn caused(db: &Connection, deployment: i64) -> rusqlite::Result<Vec<CausedLink>> {
    const SQL: &str = "SELECT id FROM failure WHERE cause = ?1 AND state IN ('open', 'completed')
        ORDER BY started_at_ns, id";
    let rows: Vec<i64> =
        db.prepare_cached(SQL)?.query_map([deployment], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut caused = Vec::new();
    for row in rows {
        let Some(stored) = stored(db, row)? else { continue };
        let query = stored.evaluated.details.link_query(&stored.evaluated.failure);
        caused.push(CausedLink {
            failure: stored.evaluated.failure.id.to_string(),
            how: stored.links.how,
            named: query.named.iter().map(|name| (*name).to_owned()).collect(),
        });
    }
    Ok(caused)
}

/// Explains the progress at each backend.
fn explain_all(forwarded: &[Forwarded]) -> Vec<Why> {
    if forwarded.is_empty() {
        return vec![not_forwarded()];
    }
    let line = forwarded
        .iter()
        .map(|told| explain_forwarded(&told.backend, told.state.as_str(), told.revision, told.attempts));
    line.collect()
}
