//! Explanations of the marks of a deployment at each backend.

use super::forwarded::ForwardState;
use crate::domain::explain::{Why, explain_mark, explain_mark_name};
use crate::domain::forwarding::{Action, BackendEntry};
use crate::domain::mark_address::{AddressFacts, MARK_STAYS, MarksBy, explain_address};
use crate::store::engine::sql::{self, Db, params};
use crate::store::facts::deployment::of_row;
use crate::store::outbox::mark_target;
use crate::store::outbox::rows::{Topic, action, row_state};

/// Explains the mark of a deployment, for each backend that the mark was or will be sent to.
pub(super) fn marks(db: &Db, deployment: i64) -> sql::Result<Vec<Why>> {
    const SQL: &str = "SELECT backend, action, state FROM outbox
        WHERE deployment = ?1 AND topic = 'mark' AND state <> 'superseded' AND repeats = 0
        ORDER BY backend, revision DESC, id DESC";
    let (mut reasons, mut last) = (Vec::new(), None);
    db.each(SQL, params![deployment], |row| {
        let backend: String = row.get(0)?;
        if last.as_ref() != Some(&backend) {
            let action = action(row, 1)?;
            let state = ForwardState::of(row_state(row, 2)?, action);
            reasons.push(explain_mark(&backend, action == Action::Mark, state.as_str()));
            last = Some(backend);
        }
        Ok(())
    })?;
    Ok(reasons)
}

/// Explains by which name each backend with `change_failures = "by_version"` finds a deployment. If the deployment has not
/// failed, explains only a mark that cannot be removed.
pub(super) fn mark_names(
    db: &Db,
    row: i64,
    has_failed: bool,
    backend_entries: &[BackendEntry],
) -> sql::Result<Vec<Why>> {
    const NEWEST: &str = "SELECT state, action FROM outbox WHERE deployment = ?1 AND backend = ?2
        AND topic = ?3 AND state <> 'superseded' ORDER BY revision DESC, id DESC LIMIT 1";
    let newest = |topic: Topic, backend: &String| {
        db.one(NEWEST, params![row, backend, topic.as_str()], |columns| {
            Ok((row_state(columns, 0)?, action(columns, 1)?))
        })
    };
    let mut reasons = Vec::new();
    for BackendEntry { name, deployments, marks_by, filter, .. } in backend_entries {
        let Some(marks_by @ MarksBy::Version) = *marks_by else { continue };
        let Some(deployment) = of_row(db, row)?.filter(|deployment| filter.passes_deployment(deployment))
        else {
            continue;
        };
        let facts = AddressFacts {
            deployment: &deployment,
            marks_by,
            is_told: mark_target::is_told(newest(Topic::Deployment, name)?, *deployments),
            shares_version: mark_target::shares_version(db, row, &deployment)?,
        };
        if has_failed {
            reasons.extend(explain_address(facts).map(|because| explain_mark_name(name, because)));
        } else if facts.shares_version
            && newest(Topic::Mark, name)?.is_some_and(|(_, action)| action == Action::Mark)
        {
            reasons.push(explain_mark_name(name, MARK_STAYS.to_owned()));
        }
    }
    Ok(reasons)
}
