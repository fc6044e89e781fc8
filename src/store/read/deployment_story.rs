//! Everything that is known of one deployment: its links, the reasons for its values, and its attempts.

use super::deployments::view;
use super::forwarded::{Forwarded, forwarded_deployment};
use super::marks::{mark_names, marks};
use super::reader::Reader;
use super::story::{AttemptRecord, ReceivedEvent, attempts, received_events};
use crate::domain::deployment::Deployment;
use crate::domain::deployment_view::{DeploymentView, PendingRule};
use crate::domain::explain::Why;
use crate::domain::explain_deployment::{
    CausedLink, ExplainedDeployment, explain_deployment, explain_forwarded, imported, not_forwarded,
};
use crate::domain::explain_source_deployment::{
    decided_under_other_configuration, explain_source_deployment, never_told, still_there,
};
use crate::domain::forwarding::{Action, BackendEntry};
use crate::domain::id::DeploymentId;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::{self, Db, params};
use crate::store::facts::deployment::{StoredDeployment, of_id};
use crate::store::outbox::desired::deployment_before;
use crate::store::outbox::rows::action;
use crate::store::state::changed_deployments;
use crate::store::state::failure::stored;
use crate::store::state::source_deployment::{self, history_of};

/// Present configuration, and the time.
#[derive(Clone, Copy)]
pub struct DeploymentContext<'a> {
    /// Rules by which the deployments of sources count.
    pub policy: &'a Policy,
    /// Rule by which a deployment is pending now.
    pub pending: PendingRule,
    /// Sources that read the bodies of their events.
    pub sources: Sources,
    /// Backends that forward deployments or marks.
    pub backend_entries: &'a [BackendEntry],
}

/// A deployment's whole story.
#[derive(Debug)]
pub struct DeploymentStory {
    /// The deployment.
    pub deployment: DeploymentView,
    /// The events about it, in the order of their times. A deployment that was sent to the event API has
    /// none.
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
        context: DeploymentContext<'_>,
    ) -> Result<Option<DeploymentStory>, ReadError> {
        let Some(id) = DeploymentId::parse(id) else { return Ok(None) };
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        Ok(of_id(&db, id.as_str())?.map(|stored| story(&db, stored, context)).transpose()?)
    }
}

fn story(db: &Db, stored: StoredDeployment, context: DeploymentContext<'_>) -> sql::Result<DeploymentStory> {
    const ATTEMPTS: &str = "SELECT backend, revision, ended_at_ns, status, error
        FROM attempt JOIN outbox ON outbox.id = attempt.outbox
        WHERE deployment = ?1 ORDER BY ended_at_ns, backend, revision, number";
    let (row, received_at, source_row) = (stored.row, stored.received_at, stored.origin.source_deployment);
    let reasons = reasons_at_source(db, &stored, context)?;
    let counts = stored.standing.counts();
    let (view, remediation_kind) = view(db, stored, context.pending)?;
    let caused = caused(db, row)?;
    let facts = ExplainedDeployment {
        view: &view,
        source_reasons: &reasons,
        received_at,
        caused: &caused,
        remediation_kind,
    };
    let mut why = explain_deployment(facts, context.pending);
    let forwarded = forwarded_deployment(db, row)?;
    match (counts, forwarded.as_slice()) {
        (false, []) => why.push(never_told()),
        (false, told) => {
            why.extend(explain_all(told));
            why.extend(still_told(db, row)?);
        }
        (true, []) if view.is_imported() => why.push(imported()),
        (true, told) => why.extend(explain_all(told)),
    }
    why.extend(marks(db, row)?);
    why.extend(mark_names(db, row, view.has_failed(), context.backend_entries)?);
    let attempts = attempts(db, ATTEMPTS, row)?;
    let before = deployment_before(db, &view.deployment)?;
    Ok(DeploymentStory {
        deployment: view,
        events: events_at_source(db, source_row)?,
        why,
        attempts,
        received_at,
        forwarded,
        before,
    })
}

/// Reasons that the events of a deployment of a source and the present configuration give.
fn reasons_at_source(
    db: &Db,
    stored: &StoredDeployment,
    context: DeploymentContext<'_>,
) -> sql::Result<Vec<Why>> {
    let Some(source_deployment) =
        source_deployment::of_row(db, context.sources, stored.origin.source_deployment)?
    else {
        return Ok(Vec::new());
    };
    let Some(history) = &source_deployment.history else { return Ok(Vec::new()) };
    let mut reasons = explain_source_deployment(&source_deployment.id, history, context.policy);
    if !changed_deployments::of_all(db, context.sources, &[source_deployment], context.policy)?.is_empty() {
        reasons.push(decided_under_other_configuration());
    }
    Ok(reasons)
}

/// The events that told of a deployment.
fn events_at_source(db: &Db, row: Option<i64>) -> sql::Result<Vec<ReceivedEvent>> {
    const SQL: &str = "SELECT event_id, event_type, occurred_at_ns, received_at_ns, duplicates, source
        FROM source_deployment_event JOIN event ON event.id = event WHERE source_deployment = ?1
        ORDER BY occurred_at_ns, event.id";
    let Some(row) = row else { return Ok(Vec::new()) };
    let (mut events, history) = (received_events(db, SQL, row)?, history_of(db, Some(row))?);
    for event in &mut events {
        event.state = history.as_ref().and_then(|history| history.state_in(&event.id));
    }
    Ok(events)
}

/// Explains which backends have a deployment that does not count any more, and get no request to delete it.
fn still_told(db: &Db, deployment: i64) -> sql::Result<Vec<Why>> {
    // Of several rows with the largest revision, any one will do: they differ in repeats only.
    const NEWEST_FIRST: &str = "SELECT backend, revision, action FROM outbox
        WHERE deployment = ?1 AND topic = 'deployment' AND (in_doubt > 0 OR taken > 0 OR state = 'pending')
        ORDER BY backend, revision DESC";
    let (mut reasons, mut last) = (Vec::new(), None);
    db.each(NEWEST_FIRST, params![deployment], |row| {
        let backend: String = row.get(0)?;
        if last.as_ref() != Some(&backend) {
            if action(row, 2)? == Action::Replace {
                reasons.push(still_there(&backend, row.get(1)?));
            }
            last = Some(backend);
        }
        Ok(())
    })?;
    Ok(reasons)
}

/// The failures that count and that a deployment caused, each with the rule that linked it.
fn caused(db: &Db, deployment: i64) -> sql::Result<Vec<CausedLink>> {
    const SQL: &str = "SELECT id FROM failure WHERE cause = ?1 AND state IN ('open', 'completed')
        ORDER BY started_at_ns, id";
    let rows: Vec<i64> = db.all(SQL, params![deployment], |row| row.get(0))?;
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
