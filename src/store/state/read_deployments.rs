//! Events about deployments that were read from a source's API: those that no webhook has told are stored.

use crate::domain::event::ReadEvent;
use crate::domain::source::Source;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::progress;
use crate::store::engine::session::Session;
use crate::store::engine::sql;
use crate::store::facts::delivery::Delivery;
use crate::store::facts::event;
use crate::store::facts::record::{self, Recorded};

/// Answers about deployments, as events.
#[derive(Debug, Clone)]
pub struct ReadDeployments {
    /// The source that reads.
    pub source: &'static Source,
    /// Name of the source whose webhooks tell of the same events.
    pub sent_by: SourceName,
    /// The events.
    pub events: Vec<ReadEvent>,
    /// Time at which they were read.
    pub read_at: Timestamp,
}

/// Stores the events that are stored neither as they were sent nor as they were read, to be folded. Returns their number.
pub(in crate::store) fn record(session: &mut Session<'_>, read: &ReadDeployments) -> sql::Result<usize> {
    let mut new = 0;
    for ReadEvent { event, body } in &read.events {
        if event::is_stored(session, &read.sent_by, &event.id)?
            || event::is_stored(session, &read.source.name, &event.id)?
        {
            continue;
        }
        let delivery = Delivery {
            source: read.source,
            id: None,
            received_at: read.read_at,
            body: body.clone().into(),
            reservation: None,
        };
        let recorded = record::keep(session, &event.heading(), &delivery)?;
        new += usize::from(recorded == Some(Recorded::Accepted));
    }
    Ok(new)
}

/// Notes that everything that the API tells of a repository up to this time is stored.
pub(in crate::store) fn end(session: &Session<'_>, repository: &str, up_to: Timestamp) -> sql::Result<()> {
    // The row changes in any case. So the commit syncs what was read before.
    progress::set(session.db(), &progress::read_up_to(repository), up_to.as_nanos())
}
