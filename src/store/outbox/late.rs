//! Requests that may reach a backend late, after newer ones: then the newest revision is sent once more.

use super::rows::{ExistingRow, NewRow, Revisions, RowState, Topic, destination};
use crate::domain::forwarding::Destination;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, Row, params};

/// Wait before the newest revision is sent a second time. A request that arrives even later is not corrected.
const REPEAT_AFTER: std::time::Duration = std::time::Duration::from_secs(90);

/// Follows up on an accepted row: if an older revision may still arrive, the newest one is sent once more later. A
/// request that timed out here may wait in a proxy. If it arrives last, a backend that replaces whole records keeps the
/// older state for ever.
pub(super) fn accepted(session: &mut Session<'_>, row: i64, now: Timestamp) -> sql::Result<()> {
    let Some(place) = RowPosition::of(session, row)? else { return Ok(()) };
    // Most rows are the first revision of their subject, and have no older one.
    if place.revision == 1 && !place.repeats {
        return Ok(());
    }
    if place.repeats {
        // Older revisions have arrived by now. Earlier attempts of this row itself may still be on their way.
        place.revisions().forget_unanswered(session, place.revision)?;
    }
    repeat(session, place.revisions(), now)
}

/// Follows up on a dead or discarded row: now an older revision is the newest one that is valid.
pub(super) fn after_giving_up(session: &mut Session<'_>, row: i64, now: Timestamp) -> sql::Result<()> {
    match RowPosition::of(session, row)? {
        // A repeat is not repeated again.
        Some(RowPosition { repeats: true, .. }) | None => Ok(()),
        Some(place) => repeat(session, place.revisions(), now),
    }
}

/// The place of a row among the others of its subject and backend.
struct RowPosition {
    topic: Topic,
    subject: i64,
    backend: String,
    revision: i64,
    repeats: bool,
}

impl RowPosition {
    fn of(session: &Session<'_>, row: i64) -> sql::Result<Option<Self>> {
        const SQL: &str = "SELECT topic, coalesce(failure, deployment), backend, revision, repeats
            FROM outbox WHERE id = ?1";
        let place = |columns: &Row<'_>| {
            Ok(Self {
                topic: Topic::of(columns, 0)?,
                subject: columns.get(1)?,
                backend: columns.get(2)?,
                revision: columns.get(3)?,
                repeats: columns.get(4)?,
            })
        };
        session.db().one(SQL, params![row], place)
    }

    fn revisions(&self) -> Revisions<'_> {
        Revisions { topic: self.topic, subject: self.subject, backend: &self.backend }
    }
}

/// Puts the newest revision into the outbox a second time if an older one may still arrive.
pub(super) fn repeat(session: &mut Session<'_>, revisions: Revisions<'_>, now: Timestamp) -> sql::Result<()> {
    let Some((destination, newest)) = to_repeat(session, revisions)? else { return Ok(()) };
    if newest.state == RowState::Sent
        && !newest.repeats
        && revisions.has_older_unanswered(session, &newest)?
    {
        put(session, destination, (revisions, newest), now.saturating_add(REPEAT_AFTER), now)?;
    }
    Ok(())
}

/// Follows up on a request that ended after its claim. The backend may have got it after the requests of another replica,
/// so the newest revision is sent once more. `has_arrived` is `true` if the request cannot arrive later.
pub(super) fn ended_late(
    session: &mut Session<'_>,
    row: i64,
    has_arrived: bool,
    now: Timestamp,
) -> sql::Result<()> {
    let Some(place) = RowPosition::of(session, row)? else { return Ok(()) };
    let due_at = if has_arrived { now } else { now.saturating_add(REPEAT_AFTER) };
    // A deployment that is sent whole may remove its mark.
    let topics = [Some(place.topic), (place.topic == Topic::Deployment).then_some(Topic::Mark)];
    for topic in topics.into_iter().flatten() {
        let revisions = Revisions { topic, ..place.revisions() };
        if let Some((destination, newest)) = to_repeat(session, revisions)?
            && newest.revision > place.revision
            && !revisions.has_waiting(session, newest.revision)?
        {
            put(session, destination, (revisions, newest), due_at, now)?;
        }
    }
    Ok(())
}

/// The newest revision, and its backend. `None` for a backend where an older request does not undo a newer one.
fn to_repeat<'a>(
    session: &Session<'a>,
    revisions: Revisions<'_>,
) -> sql::Result<Option<(&'a dyn Destination, ExistingRow)>> {
    let destination = destination(session, revisions.backend).filter(|found| found.replaces_whole());
    Ok(destination.zip(revisions.newest_live(session)?))
}

/// Puts a revision into the outbox once more.
fn put(
    session: &mut Session<'_>,
    destination: &dyn Destination,
    (revisions, ExistingRow { revision, prepared, .. }): (Revisions<'_>, ExistingRow),
    due_at: Timestamp,
    now: Timestamp,
) -> sql::Result<()> {
    let request = NewRow { revision, repeats: true, due_at: Some(due_at), prepared };
    revisions.put(session, destination, &request, now)
}
