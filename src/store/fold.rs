//! Folding: the events that were kept become failures.
//!
//! Events are the truth, failures follow from them; so an event may be answered before its failure is brought up
//! to date. While little comes in, both happen in one transaction. Under load the folding of many groups is done
//! at once, which writes the row of an incident once instead of once an event. `folded.up_to` says how far it is;
//! what a crash leaves unfolded is folded at the next start.

use std::sync::Arc;

use rusqlite::params;

use super::Settings;
use super::failure_row;
use super::group::Changed;
use super::writer::Session;
use crate::domain::event::Event;
use crate::domain::id::{FailureId, IncidentId};
use crate::domain::timestamp::Timestamp;

/// As many events are folded together where more keep coming: the more, the fewer times a page is written.
pub(super) const BATCH: usize = 4_096;
/// The least that is folded at a time.
const SMALLEST_SLICE: usize = 64;

/// How much to fold beside a group of writes, so that the backlog shrinks and nobody waits for long.
pub(super) fn slice_beside(group: usize) -> usize {
    (2 * group).max(SMALLEST_SLICE)
}

/// An event that is kept, and whose failure does not know it yet.
pub(super) struct Unfolded {
    row: i64,
    incident: IncidentId,
    failure_key: i64,
    event: Arc<Event>,
    received_at: Timestamp,
}

impl Unfolded {
    /// `None` for an event about no incident.
    pub(super) fn new(row: i64, event: Arc<Event>, received_at: Timestamp) -> Option<Self> {
        let incident = event.subject.as_ref()?.incident.clone();
        let failure_key = failure_row::key(&FailureId::of_incident(&incident));
        Some(Self { row, incident, failure_key, event, received_at })
    }
}

/// How much of the backlog a transaction folds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Portion {
    None,
    /// About as many events of the batch.
    Slice(usize),
    All,
}

/// Events kept and not folded yet.
#[derive(Default)]
pub(super) struct Backlog {
    /// In order of arrival.
    waiting: Vec<Unfolded>,
    /// Being folded, from its end. Sorted by key, so that neighbours in the index are written together.
    batch: Vec<Unfolded>,
    /// The last row of the batch as it was at first.
    batch_up_to: i64,
}

impl Backlog {
    pub(super) fn push(&mut self, unfolded: Unfolded) {
        self.waiting.push(unfolded);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.batch.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.batch.len()
    }

    /// How many were added and are in no batch.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets what was added in a transaction that was rolled back.
    pub(super) fn forget_since(&mut self, waiting: usize) {
        self.waiting.truncate(waiting);
    }

    /// Whether a slice should be folded. While more keeps coming in, a batch is not begun before it is full.
    pub(super) fn prepare(&mut self, is_busy: bool) -> bool {
        if self.batch.is_empty() && (!is_busy || self.waiting.len() >= BATCH) {
            self.batch = std::mem::take(&mut self.waiting);
            self.batch_up_to = self.batch.last().map_or(0, |last| last.row);
            self.batch.sort_unstable_by_key(|unfolded| (unfolded.failure_key, unfolded.row));
        }
        !self.batch.is_empty()
    }

    /// Lets go of what was folded, now that it is committed.
    pub(super) fn done(&mut self, portion: Portion) {
        match portion {
            Portion::None => {}
            Portion::Slice(slice) => self.batch.truncate(self.slice_start(slice)),
            Portion::All => *self = Self::default(),
        }
    }

    /// Where a slice of about that many begins: not inside an incident.
    fn slice_start(&self, slice: usize) -> usize {
        let wanted = self.batch.len().saturating_sub(slice);
        let Some(Unfolded { failure_key, .. }) = self.batch.get(wanted) else {
            return wanted;
        };
        self.batch.partition_point(|unfolded| unfolded.failure_key < *failure_key)
    }
}

/// Brings the failures of a portion of the backlog up to date.
pub(super) fn fold(session: &mut Session<'_>, portion: Portion) -> rusqlite::Result<()> {
    // Whether this counts is decided by the commit: until then the writer keeps them.
    let backlog = std::mem::take(session.backlog);
    let (events, up_to): (Vec<&Unfolded>, _) = match portion {
        Portion::None => (Vec::new(), None),
        Portion::Slice(slice) => {
            let start = backlog.slice_start(slice);
            (backlog.batch[start..].iter().collect(), (start == 0).then_some(backlog.batch_up_to))
        }
        Portion::All => {
            let up_to = backlog.waiting.last().or(backlog.batch.last()).map(|last| last.row);
            (backlog.batch.iter().chain(&backlog.waiting).collect(), up_to)
        }
    };
    let folded = fold_events(session, events, up_to);
    *session.backlog = backlog;
    folded
}

fn fold_events(
    session: &mut Session<'_>,
    mut events: Vec<&Unfolded>,
    up_to: Option<i64>,
) -> rusqlite::Result<()> {
    const LINK: &str = "INSERT INTO failure_event VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    const REMEMBER: &str = "INSERT INTO folded VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET up_to = ?1";
    events.sort_unstable_by_key(|unfolded| (unfolded.failure_key, unfolded.row));
    let by_incident = || events.chunk_by(|a, b| a.incident == b.incident);
    let link = |session: &Session<'_>, row: i64, events: &[&Unfolded]| {
        events.iter().try_for_each(|unfolded| session.execute(LINK, params![row, unfolded.row]).map(drop))
    };
    let mut merged = Changed::default();
    for events in by_incident() {
        let member = session.incidents().load(&events[0].incident)?;
        let received = events.iter().map(|unfolded| (&*unfolded.event, unfolded.received_at));
        let stored = member.row.id;
        let row = match member.learn(received) {
            None => stored,
            Some(changed) if changed.stands_alone(session) => Some(changed.save(session)?),
            Some(changed) => {
                merged.insert(changed);
                None
            }
        };
        if let Some(row) = row {
            link(session, row, events)?;
        }
    }
    let rows = merged.save(session)?;
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

/// What an earlier process kept and did not come to fold.
pub(super) fn left_over(db: &rusqlite::Connection, settings: &Settings) -> rusqlite::Result<Backlog> {
    const SQL: &str = "SELECT id, received_at_ns, body FROM event
        WHERE id > (SELECT coalesce(max(up_to), 0) FROM folded) AND body IS NOT NULL ORDER BY id";
    let mut statement = db.prepare(SQL)?;
    let mut rows = statement.query([])?;
    let mut left_over = Backlog::default();
    while let Some(row) = rows.next()? {
        if let Some(event) = (settings.parse)(row.get_ref(2)?.as_blob()?) {
            let received_at = Timestamp::from_nanos(row.get(1)?);
            left_over.waiting.extend(Unfolded::new(row.get(0)?, Arc::new(event), received_at));
        }
    }
    Ok(left_over)
}
