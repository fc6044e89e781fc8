//! Sessions whose client has gone, and the server does not know it.

use super::connection::Connection;
use crate::store::engine::sql::Result;

/// Ends the sessions of this program that wait for the rest of a statement's messages, and have waited for too long. Such a
/// session may have the turn, or a lock that webhooks wait for.
///
/// The server has no limit of time for that: `statement_timeout` does not count between two messages, and
/// `idle_in_transaction_session_timeout` begins after the last of them. If the network was cut, the server may find out by
/// itself only after hours, or never, if there is a proxy that still has its connection. A client here sends all messages of
/// a statement at once, and gives up after a few seconds.
pub(super) fn end(db: &Connection) -> Result<()> {
    const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'pagerduty-dora %'
        AND state = 'active' AND wait_event = 'ClientRead' AND xact_start IS NOT NULL
        AND state_change < clock_timestamp() - INTERVAL '8 seconds'";
    let ended = db.batch(END)?.len();
    if ended > 0 {
        tracing::warn!(
            ended,
            "sessions at the database were ended, because their clients were gone amid a statement"
        );
    }
    Ok(())
}
