//! Folding: the events that were kept become failures.
//!
//! Events are the truth, failures follow from them; so an event may be answered before its failure is brought up to
//! date. While little comes in, both happen in one transaction. In a rush events are only kept, and folded when it is
//! over, or when as many wait as may: then all that an incident went through costs one reading and one writing of its
//! row. `folded.up_to` says how far it is; what a crash leaves unfolded is folded at the next start.

use rusqlite::{Connection, params};

use super::Settings;
use super::connected::ChangedMembers;
use super::event_row::source;
use super::failure_row;
use super::writer::Session;
use crate::domain::event::Event;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::timestamp::Timestamp;

/// From that many events in one transaction on, it is a rush.
pub(super) const RUSH_FROM_EVENTS: usize = 12;
/// The least that is folded at a time.
const SMALLEST_SLICE: usize = 256;
/// Number of events that are folded at a time while nobody waits.
pub(super) const LARGE_SLICE: usize = 4_096;

/// Number of events to fold beside a group of writes, so that the backlog shrinks and nobody waits for long.
pub(super) fn slice_beside(group: usize) -> usize {
    (2 * group).max(SMALLEST_SLICE)
}

/// An event that is kept, and whose failure does not know it yet. Small, because many may wait: the rest of it is read
/// from its body when it is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unfolded {
    failure_key: i64,
    row: i64,
}

impl Unfolded {
    pub(super) fn new(row: i64, incident: &IncidentId) -> Self {
        Self { failure_key: failure_row::key(&FailureId::of_incident(incident)), row }
    }
}

/// An event about an incident, being folded.
struct Folding {
    row: i64,
    failure_key: i64,
    incident: IncidentId,
    event: Event,
    received_at: Timestamp,
}

/// A batch is this part of all events that may wait. Only when all of it is folded does the disk know that any of it is,
/// so a smaller batch leaves less to a start after a crash; a larger one brings more of an incident's events together.
const BATCHES: usize = 16;
/// Number of events left by an earlier process that are read at a time.
const LEFT_OVER_AT_A_TIME: i64 = 8_192;

/// Events kept and not folded yet.
pub(super) struct Backlog {
    /// The largest batch.
    most_in_batch: usize,
    /// In order of arrival.
    waiting: Vec<Unfolded>,
    /// Being folded, from its end. Sorted, so that an incident's events are together, and neighbours in the index.
    batch: Vec<Unfolded>,
    /// The last row of the batch as it was at first, and how many there were.
    batch_up_to: i64,
    batch_events: usize,
}

impl Backlog {
    pub(super) fn new(most_unfolded: usize) -> Self {
        Self {
            most_in_batch: (most_unfolded / BATCHES).max(SMALLEST_SLICE),
            waiting: Vec::new(),
            batch: Vec::new(),
            batch_up_to: 0,
            batch_events: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.batch.is_empty()
    }

    /// Number of events that a start after a crash would find unfolded, including those of a batch that is folded
    /// in part.
    pub(super) fn len_after_a_crash(&self) -> usize {
        self.waiting.len() + if self.batch.is_empty() { 0 } else { self.batch_events }
    }

    /// Keeps what was committed and not folded with it.
    pub(super) fn extend(&mut self, fresh: impl IntoIterator<Item = Unfolded>) {
        self.waiting.extend(fresh);
    }

    /// About `wanted` of the events to be folded next. An incident's are not split.
    pub(super) fn slice(&mut self, wanted: usize) -> Slice {
        if self.batch.is_empty() {
            let events = self.waiting.len().min(self.most_in_batch);
            self.batch = self.waiting.drain(..events).collect();
            self.batch_up_to = self.batch.last().map_or(0, |last| last.row);
            self.batch_events = events;
            self.batch.sort_unstable();
        }
        let start = self.batch.len().saturating_sub(wanted);
        let start = self.batch.get(start).map_or(start, |first| {
            self.batch.partition_point(|unfolded| unfolded.failure_key < first.failure_key)
        });
        let events = self.batch.get(start..).unwrap_or_default().to_vec();
        Slice { start, events, up_to: (start == 0).then_some(self.batch_up_to) }
    }

    /// Lets go of what was folded, now that it is committed.
    pub(super) fn done(&mut self, slice: &Slice) {
        self.batch.truncate(slice.start);
    }
}

/// A part of the backlog.
pub(super) struct Slice {
    start: usize,
    events: Vec<Unfolded>,
    /// All rows up to this one are folded once it is. `None`: not all.
    up_to: Option<i64>,
}

/// Brings the failures of the events up to date that the same transaction keeps.
pub(super) fn fold_fresh(session: &mut Session<'_>) -> rusqlite::Result<()> {
    let fresh = std::mem::take(&mut session.fresh);
    let events = read(session, &fresh)?;
    // Also past those that are about no incident: nothing of them is to be folded.
    fold(session, events, session.kept)
}

/// Brings the failures of a part of the backlog up to date.
pub(super) fn fold_slice(session: &mut Session<'_>, slice: &Slice) -> rusqlite::Result<()> {
    let events = read(session, &slice.events)?;
    fold(session, events, slice.up_to)
}

/// Reads from their bodies what events say.
fn read(session: &Session<'_>, unfolded: &[Unfolded]) -> rusqlite::Result<Vec<Folding>> {
    const SQL: &str = "SELECT received_at_ns, body, source FROM event WHERE id = ?1";
    let mut statement = session.prepare(SQL)?;
    let mut events = Vec::with_capacity(unfolded.len());
    for &Unfolded { failure_key, row: id } in unfolded {
        let mut rows = statement.query([id])?;
        if let Some(row) = rows.next()?
            && let Some(body) = row.get_ref(1)?.as_blob_or_null()?
            && let Some(event) = (source(session.settings.sources, row, 2)?.parse)(body)
            && let Some(incident) = event.subject.as_ref().map(|subject| subject.incident.clone())
        {
            let received_at = Timestamp::from_nanos(row.get(0)?);
            events.push(Folding { row: id, failure_key, incident, event, received_at });
        }
    }
    Ok(events)
}

fn fold(session: &mut Session<'_>, mut events: Vec<Folding>, up_to: Option<i64>) -> rusqlite::Result<()> {
    const LINK: &str = "INSERT INTO failure_event VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    const REMEMBER: &str = "INSERT INTO folded VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET up_to = ?1";
    // Two incidents may have one key.
    events.sort_unstable_by(|a, b| {
        (a.failure_key, &a.incident, a.row).cmp(&(b.failure_key, &b.incident, b.row))
    });
    let by_incident = || events.chunk_by(|a, b| a.incident == b.incident);
    let link = |session: &Session<'_>, row: i64, events: &[Folding]| {
        events.iter().try_for_each(|folding| session.execute(LINK, params![row, folding.row]).map(drop))
    };
    let mut connected = ChangedMembers::default();
    for events in by_incident() {
        let member = session.incidents().load(&events[0].incident)?;
        let received = events.iter().map(|folding| (&folding.event, folding.received_at));
        let stored = member.row.id;
        let row = match member.learn(received) {
            None => stored,
            Some(changed) if changed.stands_alone(session) => Some(changed.save(session)?),
            Some(changed) => {
                connected.insert(changed);
                None
            }
        };
        if let Some(row) = row {
            link(session, row, events)?;
        }
    }
    let rows = connected.save(session)?;
    for events in by_incident() {
        if let Some(row) = rows.get(&events[0].incident) {
            link(session, *row, events)?;
        }
    }
    match up_to {
        Some(up_to) => session.execute(REMEMBER, [up_to]).map(drop),
        None => Ok(()),
    }
}

/// Adds to the backlog some of what an earlier process kept after the row `after`, and did not come to fold. Returns the
/// last row that was looked at; `None`: there are no more.
pub(super) fn left_over(
    db: &Connection,
    settings: &Settings,
    after: i64,
    backlog: &mut Backlog,
) -> rusqlite::Result<Option<i64>> {
    const SQL: &str = "SELECT id, body, source FROM event
        WHERE id > max(?1, (SELECT coalesce(max(up_to), 0) FROM folded)) AND body IS NOT NULL ORDER BY id LIMIT ?2";
    let mut statement = db.prepare(SQL)?;
    let mut rows = statement.query(params![after, LEFT_OVER_AT_A_TIME])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        last = Some(id);
        let event = (source(settings.sources, row, 2)?.parse)(row.get_ref(1)?.as_blob()?);
        if let Some(subject) = event.and_then(|event| event.subject) {
            backlog.extend([Unfolded::new(id, &subject.incident)]);
        }
    }
    Ok(last)
}
