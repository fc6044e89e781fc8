//! Everything that is known of one failure: its events, the reasons for its fields, and its attempts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::forwarded::forwarded;
use super::listing::ListedFailure;
use super::marks::{mark_names, marks};
use super::reader::Reader;
use crate::domain::deployment_event::DeploymentState;
use crate::domain::explain::{
    Why, explain, explain_cause, explain_remediation, explain_submission, links_of_other_configuration,
    only_mentioned, other_configuration,
};
use crate::domain::failure::Evaluated;
use crate::domain::figures::DeployedElsewhere;
use crate::domain::forwarding::BackendEntry;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::import::IMPORTED;
use crate::domain::link::{Cause, LinkQuery};
use crate::domain::not_forwarded::{ForwardingFacts, UntriedRevision, not_forwarded};
use crate::domain::policy::Policy;
use crate::domain::related_change::RelatedChange;
use crate::domain::source::Sources;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::{self, Db, params};
use crate::store::facts::deployment::of_row;
use crate::store::facts::related_changes;
use crate::store::outbox::desired::remediation_kind;
use crate::store::state::failure::{Facts, FailureRow, StoredForm};
use crate::store::state::links::{StoredLinks, candidates};
use crate::store::state::merge_group::{Incidents, MergeGroup};
use crate::store::state::stored_failure::{details, failure};

/// A failure's whole story.
#[derive(Debug)]
pub struct Story {
    /// The failure. `None` until an event with the incident's data was received.
    pub failure: Option<ListedFailure>,
    /// The events about it, in the order in which they were received.
    pub events: Vec<ReceivedEvent>,
    /// Reasons for its fields.
    pub why: Vec<Why>,
    /// Attempts to send the failure to backends, oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// Reasons why the failure was not sent to backends, a sentence for each backend.
    pub not_forwarded: Vec<String>,
    /// Changes that the source relates to the incident. They decide nothing. `None` if they are not known.
    pub related_changes: Option<Vec<RelatedChange>>,
    /// Names for people (service, and version or short commit) of the deployments that caused and fixed it, by id.
    pub deployment_names: BTreeMap<String, String>,
}

/// Present configuration, and the time.
#[derive(Clone, Copy)]
pub struct StoryContext<'a> {
    /// Rules by which an incident becomes a failure.
    pub policy: &'a Policy,
    /// The backends that are configured.
    pub backend_entries: &'a [BackendEntry],
    /// The present time.
    pub now: Timestamp,
    /// Sources that read the bodies of their events.
    pub sources: Sources,
}

/// An event, as it was received.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReceivedEvent {
    /// Id that the source gave it.
    pub id: String,
    /// `event_type`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Time of the event.
    pub occurred_at: Timestamp,
    /// Time at which it was first received.
    pub received_at: Timestamp,
    /// Number of duplicates of the event.
    pub duplicates: i64,
    /// Name of the source that told it.
    pub source: String,
    /// State that a deployment came into. `None` if the event is about no deployment, or tells no more than others.
    #[serde(default)]
    pub state: Option<DeploymentState>,
}

impl ReceivedEvent {
    /// `true` if the program read it from the API of the source that the incident or deployment has, because no webhook
    /// had told it.
    pub fn was_read(&self, its_source: &SourceName) -> bool {
        self.source != its_source.as_str()
    }
}

/// One attempt to send a revision to a backend.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The backend.
    pub backend: String,
    /// Revision that was sent.
    pub revision: i64,
    /// End of the attempt.
    pub at: Timestamp,
    /// Status of the answer, if there was one.
    pub status: Option<u16>,
    /// Error of the attempt.
    pub error: Option<String>,
}

impl Reader {
    /// The story of a failure, by its id or its incident's. `None` if the failure is not known.
    pub fn story(&self, id: &str, context: StoryContext<'_>) -> Result<Option<Story>, ReadError> {
        let mut db = self.lock();
        // One snapshot of the store for all reads.
        let db = db.snapshot()?;
        let incidents = context.sources.incidents(id);
        let ids = incidents.iter().map(FailureId::of_incident).chain(FailureId::parse(id));
        for id in ids {
            if let Some(row) = FailureRow::load(&db, &id)? {
                let story = story(&db, row, context)?;
                let is_known = story.failure.is_some() || !story.events.is_empty();
                return Ok(Some(story).filter(|_| is_known));
            }
        }
        Ok(None)
    }
}

fn story(db: &Db, row: FailureRow, context: StoryContext<'_>) -> sql::Result<Story> {
    const SQL: &str =
        "SELECT CASE WHEN state IS NOT NULL THEN evaluated END, details, cause, cause_how, remediation
        FROM failure WHERE id = ?1";
    // Every row that was loaded has an id.
    let id = row.id.ok_or(sql::Error::no_row())?;
    let read = FailureRows { db, row: id };
    let (stored, links) = db.only(SQL, params![id], |columns| {
        let view = StoredForm { failure: columns.get(0)?, details: columns.get(1)? };
        Ok((view, StoredLinks::of(columns, 2)?))
    })?;
    let tags = details(stored.details.as_deref())?.tags;
    let is_imported = tags.iter().any(|tag| tag == IMPORTED);
    let mut linked = Vec::new();
    let failure = match &stored.failure {
        Some(text) => {
            let details = details(stored.details.as_deref())?;
            let mut evaluated = Evaluated { failure: failure(text)?, details };
            linked.push(cause(db, &mut evaluated, links, context.policy)?);
            linked.extend(consequences(db, &evaluated, links, context.backend_entries)?);
            let forwarded = forwarded(db, id)?;
            Some(ListedFailure { failure: evaluated.failure, revision: row.revision, forwarded })
        }
        None => None,
    };
    let mut why = why(&Incidents { db, sources: context.sources }, row, &stored, context.policy)?;
    why.extend(linked);
    let not_forwarded = read.not_forwarded(failure.as_ref(), is_imported, context)?;
    let related_changes = related_changes::of_failure(db, id)?;
    let (events, attempts) = (read.events()?, read.attempts()?);
    let deployment_names = deployment_names(db, links)?;
    Ok(Story { failure, events, why, attempts, not_forwarded, related_changes, deployment_names })
}

fn deployment_names(db: &Db, links: StoredLinks) -> sql::Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for row in [links.cause, links.remediation].into_iter().flatten() {
        names.extend(
            of_row(db, row)?.map(|deployment| (deployment.id.to_string(), deployment.display_name())),
        );
    }
    Ok(names)
}

/// Fills in the deployment that caused a failure, and explains it. If the present configuration gives another cause,
/// the reason says so.
fn cause(db: &Db, evaluated: &mut Evaluated, stored: StoredLinks, policy: &Policy) -> sql::Result<Why> {
    let caused_by = stored.cause.map(|row| of_row(db, row)).transpose()?.flatten();
    let Evaluated { failure, details } = &*evaluated;
    let query = details.link_query(failure);
    let deployments = candidates(db, &query, policy.link_window)?;
    let cause = deployments.cause(&query, policy.link_window);
    let id = caused_by.map(|deployment| deployment.id.to_string());
    let why = if cause.how() == stored.how && cause.deployment().map(|it| it.id.as_str()) == id.as_deref() {
        let elsewhere = match cause {
            Cause::NoneInWindow => deployed_elsewhere(db, &query, policy.link_window)?,
            _ => Vec::new(),
        };
        explain_cause(&query, &deployments, cause, &elsewhere)
    } else {
        links_of_other_configuration(id.as_deref())
    };
    evaluated.failure.deployment = id;
    Ok(why)
}

/// Reasons that follow from the links of a failure that counts: its remediation, and the mark of the deployment that
/// caused it.
fn consequences(
    db: &Db,
    Evaluated { failure, .. }: &Evaluated,
    links: StoredLinks,
    backend_entries: &[BackendEntry],
) -> sql::Result<Vec<Why>> {
    let mut reasons = Vec::new();
    if failure.state.counts() {
        if let Some(row) = links.remediation
            && let Some(deployment) = of_row(db, row)?
        {
            reasons.push(explain_remediation(&deployment, remediation_kind(db, &deployment)?));
        }
        if let Some(deployment) = links.cause {
            reasons.extend(marks(db, deployment)?);
            reasons.extend(mark_names(db, deployment, true, backend_entries)?);
        }
    }
    Ok(reasons)
}

/// Services of a failure (or its team, if it has no services) that were deployed to other envs within the link window.
/// For a failure without a cause. Reads all deployments of the services.
fn deployed_elsewhere(
    db: &Db,
    query: &LinkQuery<'_>,
    link_window: Duration,
) -> sql::Result<Vec<DeployedElsewhere>> {
    const OF_SERVICE: &str = "SELECT env FROM deployment WHERE service = ?1 AND env <> ?2
        AND started_at_ns <= ?3 AND finished_at_ns >= ?4 GROUP BY env ORDER BY count(*) DESC, env LIMIT 10";
    const OF_TEAM: &str = "SELECT env FROM deployment WHERE team = ?1 AND env <> ?2
        AND started_at_ns <= ?3 AND finished_at_ns >= ?4 GROUP BY env ORDER BY count(*) DESC, env LIMIT 10";
    let by_ns = query.created_at.as_nanos();
    let since_ns = query.created_at.saturating_sub(link_window).as_nanos();
    let team = query.team.filter(|_| query.services.is_empty());
    let names = query.services.iter().map(|service| (OF_SERVICE, service.as_str()));
    let mut elsewhere = Vec::new();
    for (sql, name) in names.chain(team.map(|team| (OF_TEAM, team))) {
        let other_envs: Vec<String> =
            db.all(sql, params![name, query.env, by_ns, since_ns], |row| row.get(0))?;
        if !other_envs.is_empty() {
            elsewhere.push(DeployedElsewhere {
                name: name.to_owned(),
                env: query.env.to_owned(),
                other_envs,
            });
        }
    }
    Ok(elsewhere)
}

/// Explains the decisions about a failure under the present configuration. Adds a reason if they differ from the stored
/// failure.
fn why(
    incidents: &Incidents<'_>,
    row: FailureRow,
    stored: &StoredForm,
    policy: &Policy,
) -> sql::Result<Vec<Why>> {
    let explained = match (row.facts, IncidentId::of_failure(row.failure_id.as_str())) {
        (Facts::Submission(submission), _) => Some(explain_submission(&submission, policy)),
        (_, Some(incident)) => match incidents.stored(&incident)? {
            Some(member) => explain(&incident, &MergeGroup::of(incidents, member)?.group, policy),
            None => None,
        },
        (_, None) => None,
    };
    let Some((evaluated, mut why)) = explained else {
        return Ok(vec![only_mentioned()]);
    };
    if stored.failure.is_some() && *stored != StoredForm::of(Some(&evaluated))? {
        why.push(other_configuration());
    }
    Ok(why)
}

/// Reader of the rows about one failure.
struct FailureRows<'a> {
    db: &'a Db,
    row: i64,
}

impl FailureRows<'_> {
    fn events(&self) -> sql::Result<Vec<ReceivedEvent>> {
        const SQL: &str = "SELECT event_id, event_type, occurred_at_ns, received_at_ns, duplicates, source
            FROM failure_event JOIN event ON event.id = event WHERE failure = ?1 ORDER BY event.id";
        received_events(self.db, SQL, self.row)
    }

    fn not_forwarded(
        &self,
        listed: Option<&ListedFailure>,
        is_imported: bool,
        context: StoryContext<'_>,
    ) -> sql::Result<Vec<String>> {
        const SQL: &str = "SELECT backend, revision, due_at_ns FROM outbox WHERE failure = ?1 AND repeats = 0
            AND due_at_ns IS NOT NULL AND attempts = 0 AND refusals = 0 ORDER BY backend, id";
        let waiting: Vec<UntriedRevision> = self.db.all(SQL, params![self.row], |row| {
            let due_at = Timestamp::from_nanos(row.get(2)?);
            Ok(UntriedRevision { backend: row.get(0)?, revision: row.get(1)?, due_at })
        })?;
        let forwarded = listed.iter().flat_map(|listed| &listed.forwarded);
        let in_outbox: Vec<String> = forwarded.map(|forwarded| forwarded.backend.clone()).collect();
        let failure = listed.map(|listed| &listed.failure);
        let StoryContext { backend_entries, now, .. } = context;
        Ok(not_forwarded(
            ForwardingFacts {
                failure,
                in_outbox: &in_outbox,
                waiting: &waiting,
                backend_entries,
                is_imported,
            },
            now,
        ))
    }

    fn attempts(&self) -> sql::Result<Vec<AttemptRecord>> {
        const SQL: &str = "SELECT backend, revision, ended_at_ns, status, error
            FROM attempt JOIN outbox ON outbox.id = attempt.outbox
            WHERE failure = ?1 ORDER BY ended_at_ns, backend, revision, number";
        attempts(self.db, SQL, self.row)
    }
}

/// The events that a query finds for a failure or a deployment.
pub(super) fn received_events(db: &Db, sql: &str, subject: i64) -> sql::Result<Vec<ReceivedEvent>> {
    db.all(sql, params![subject], |row| {
        Ok(ReceivedEvent {
            id: row.get(0)?,
            event_type: row.get(1)?,
            occurred_at: Timestamp::from_nanos(row.get(2)?),
            received_at: Timestamp::from_nanos(row.get(3)?),
            duplicates: row.get(4)?,
            source: row.get(5)?,
            state: None,
        })
    })
}

/// The attempts that a query finds for a failure or a deployment.
pub(super) fn attempts(db: &Db, sql: &str, subject: i64) -> sql::Result<Vec<AttemptRecord>> {
    db.all(sql, params![subject], |row| {
        Ok(AttemptRecord {
            backend: row.get(0)?,
            revision: row.get(1)?,
            at: Timestamp::from_nanos(row.get(2)?),
            status: row.get(3)?,
            error: row.get(4)?,
        })
    })
}
