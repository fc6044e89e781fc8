//! Changes that are put into the outbox apart from the others of their transaction: without telling backends, or only to
//! find out what they would be.

use std::collections::BTreeMap;

use super::reconcile;
use crate::store::engine::session::{Changes, Session};
use crate::store::engine::sql::{self, params};
use crate::store::state::{duplicates, renew};

/// Treatment of changes.
#[derive(Clone, Copy)]
pub(super) struct Treatment {
    /// `true` to undo them at the end.
    pub(super) is_dry_run: bool,
    /// `true` if backends are not told of them, now or later.
    pub(super) is_quiet: bool,
}

/// Makes changes, and puts them into the outbox.
pub(super) fn apart<T>(
    session: &mut Session<'_>,
    Treatment { is_dry_run, is_quiet }: Treatment,
    change: impl FnOnce(&mut Session<'_>) -> sql::Result<T>,
) -> sql::Result<T> {
    // The changes of the other writes of this transaction come first: they are told.
    put_into_outbox(session)?;
    let asked = Changes { contents_before: Some(BTreeMap::new()), is_quiet, ..Changes::default() };
    let others = std::mem::replace(&mut session.changes, asked);
    if is_dry_run {
        session.run("SAVEPOINT dry_run", params![])?;
    }
    let result = change(session)?;
    put_into_outbox(session)?;
    let own = std::mem::replace(&mut session.changes, others);
    if is_dry_run {
        session.run("ROLLBACK TO dry_run", params![])?;
        session.run("RELEASE dry_run", params![])?;
    } else {
        session.changes.add_finished(own);
    }
    Ok(result)
}

/// Does now what the end of a transaction does.
fn put_into_outbox(session: &mut Session<'_>) -> sql::Result<()> {
    duplicates::settle(session)?;
    renew::links(session)?;
    if session.changes.is_quiet {
        // A later change of the deployment's failures marks it. A discarded mark would count as sent.
        session.changes.marks.clear();
    }
    reconcile::all(session)
}
