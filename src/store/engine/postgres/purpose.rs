//! Purposes of connections.

use std::time::Duration;

/// Purpose of a connection, which decides its limits of time and how its statements are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Purpose {
    /// Short transactions that write, and wait for nobody.
    Write,
    /// Transactions that decide, and wait for their turn.
    Decide,
    /// Questions to the server that takes writes.
    Ask,
    /// Reads, which may be long.
    Read,
    /// A change of the schema, or a copy of the store.
    Migrate,
}

impl Purpose {
    /// Longest wait for an answer.
    pub(super) const fn limit(self) -> Duration {
        match self {
            Self::Write | Self::Decide | Self::Ask => Duration::from_secs(3),
            Self::Read => Duration::from_secs(35),
            Self::Migrate => Duration::from_hours(1),
        }
    }

    /// Longest wait for the begin of a transaction, which may have to wait for its turn.
    pub(super) const fn begin_limit(self) -> Duration {
        match self {
            Self::Decide => Duration::from_secs(11),
            Self::Write | Self::Ask | Self::Read | Self::Migrate => self.limit(),
        }
    }

    /// `true` if somebody waits for its commits.
    pub(super) const fn commits(self) -> bool {
        matches!(self, Self::Write | Self::Decide)
    }

    /// Settings of the session, also those that the role or the database may have changed. The server's limits are mostly
    /// shorter than those here, so that its own error comes first.
    pub(super) fn settings(self) -> String {
        const ALWAYS: &str = "SET standard_conforming_strings = on; SET synchronous_commit = on;
            SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning";
        // Short statements find their rows by an index. Plans are kept while tables grow, so none may read a whole table
        // because it was small. `jit` is off, because a scan that is needed all the same then costs so much that it would be
        // compiled.
        let plans = match self {
            Self::Write | Self::Ask | Self::Decide => "SET enable_seqscan = off; SET jit = off; ",
            Self::Read | Self::Migrate => "",
        };
        let limits = match self {
            // Only another replica that stores the same event is waited for, which takes no longer than a commit.
            Self::Write | Self::Ask => {
                "SET lock_timeout = '100ms'; SET statement_timeout = '2500ms';
                SET idle_in_transaction_session_timeout = '5s'"
            }
            Self::Decide => {
                "SET lock_timeout = '10s'; SET statement_timeout = '15s';
                SET idle_in_transaction_session_timeout = '5s'"
            }
            Self::Read => {
                "SET default_transaction_read_only = on; SET lock_timeout = '30s'; SET statement_timeout = '30s';
                SET idle_in_transaction_session_timeout = '60s'"
            }
            Self::Migrate => {
                "SET lock_timeout = '60s'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"
            }
        };
        format!("{ALWAYS}; {plans}{limits}")
    }
}
