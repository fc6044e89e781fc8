//! Reading one incident from PagerDuty's REST API.

use super::look::ReconcileError;
use crate::clock::Clock;
use crate::domain::id::IncidentId;
use crate::sources::pagerduty::reading::{FoundIncident, Reading};
use crate::sources::pagerduty::rest::{RestClient, RestError};

/// Reads an incident with its log and its notes.
///
/// # Errors
/// There is no usable answer, or the answer is about another incident.
pub(super) async fn read(
    client: &RestClient,
    clock: &dyn Clock,
    incident: &IncidentId,
) -> Result<Reading, ReconcileError> {
    let id = incident.as_str();
    let deleted = Reading { incident: incident.clone(), at: clock.now(), found: None };
    let Some((found, at)) = client.incident(id).await? else { return Ok(deleted) };
    let (log, notes) = match tokio::try_join!(client.log_of(id), client.notes_of(id)) {
        Ok(both) => both,
        // Perhaps it was deleted meanwhile. A proxy that knows only some paths must not look like that.
        Err(error @ RestError::NotFound { .. }) => {
            return if client.incident(id).await?.is_none() { Ok(deleted) } else { Err(error.into()) };
        }
        Err(error) => return Err(error.into()),
    };
    let found = FoundIncident { incident: found, log, notes };
    // A number finds an incident, too.
    if found.id() != Some(id) {
        return Err(ReconcileError::OtherIncident);
    }
    Ok(Reading { at: at.unwrap_or(deleted.at), found: Some(found), ..deleted })
}
