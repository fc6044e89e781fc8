//! Removal of bodies past their retention.

use crate::domain::timestamp::Timestamp;
use crate::store::engine::folding::folded_up_to;
use crate::store::engine::progress::{self, FORGOTTEN_UP_TO};
use crate::store::engine::session::Session;
use crate::store::engine::sql::{self, params};

/// Number of bodies that are removed at a time, so that nobody waits long for the writer.
const AT_A_TIME: i64 = if cfg!(test) { 2 } else { 50 };
/// Number of rows of the quarantine that are looked at for them.
const LOOKED_AT: i64 = if cfg!(test) { 5 } else { 1_000 };

/// Removes bodies received before `before`, oldest first: those of events, and once none of them is left, rows of the
/// quarantine. The events themselves stay. Returns the number of removed bodies.
pub(in crate::store) fn forget_bodies(session: &Session<'_>, before: Timestamp) -> sql::Result<usize> {
    match forget_bodies_of_events(session, before)? {
        0 => delete_from_quarantine(session, before),
        forgotten => Ok(forgotten),
    }
}

fn forget_bodies_of_events(session: &Session<'_>, before: Timestamp) -> sql::Result<usize> {
    // Rows are in order of arrival, so the search begins after the last removed body. Unfolded events still need their
    // bodies.
    const OLDEST: &str =
        "SELECT id, received_at_ns FROM event WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
    const FORGET: &str = "UPDATE event SET body = NULL WHERE id = ?1";
    let forgotten_up_to = progress::get(session.db(), FORGOTTEN_UP_TO)?;
    let folded_up_to = folded_up_to(session.db())?;
    let oldest: Vec<(i64, i64)> =
        session.db().all(OLDEST, params![forgotten_up_to, folded_up_to, AT_A_TIME], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let old = oldest.iter().take_while(|(_, received_at_ns)| *received_at_ns < before.as_nanos());
    let mut forgotten = 0;
    for (id, _) in old {
        session.run(FORGET, params![id])?;
        progress::set(session.db(), FORGOTTEN_UP_TO, *id)?;
        forgotten += 1;
    }
    Ok(forgotten)
}

fn delete_from_quarantine(session: &Session<'_>, before: Timestamp) -> sql::Result<usize> {
    // No index has the time, but rows are nearly in order of arrival, so only the first ones are looked at.
    const FORGET: &str = "DELETE FROM quarantine WHERE id IN (
        SELECT id FROM (SELECT id, received_at_ns FROM quarantine ORDER BY id LIMIT ?2) oldest
        WHERE received_at_ns < ?1 ORDER BY id LIMIT ?3)";
    session.run(FORGET, params![before.as_nanos(), LOOKED_AT, AT_A_TIME])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::tests::time;
    use crate::store::tests::store_with;

    #[tokio::test]
    async fn the_quarantine_is_emptied_in_parts_that_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with(0, &folder).await;
        // The clock was wrong for a moment when the second body arrived.
        let received = ["00:01", "09:00", "00:02", "00:03", "00:04", "00:05", "02:00", "02:01"];
        for at in received {
            store.queue(move |session| put(session, time(at))).await.unwrap();
        }
        let mut forgotten = Vec::new();
        while forgotten.last() != Some(&0) {
            forgotten.push(store.forget_bodies(time("01:00")).await.unwrap());
        }
        assert_eq!(forgotten, [2, 2, 1, 0]);
        let left = store.queue(|session| {
            const LEFT: &str = "SELECT id FROM quarantine ORDER BY id";
            session.db().all(LEFT, params![], |row| row.get::<i64>(0))
        });
        assert_eq!(left.await.unwrap(), [2, 7, 8]);
    }

    fn put(session: &Session<'_>, received_at: Timestamp) -> sql::Result<()> {
        const PUT: &str =
            "INSERT INTO quarantine (source, received_at_ns, reason, body) VALUES ('any', ?1, 'odd', x'')";
        session.insert_new(PUT, params![received_at.as_nanos()]).map(drop)
    }
}
