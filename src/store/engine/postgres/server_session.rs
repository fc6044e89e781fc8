//! A session with the server, from its login to the end of its connection.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::{AsyncMessage, Client, Statement};

use super::host::Hosts;
use super::purpose::Purpose;
use super::runtime::runtime;
use crate::store::engine::sql::error::ErrorKind;
use crate::store::engine::sql::{Error, Result};

/// Number of prepared statements that a session keeps.
const MOST_STATEMENTS: usize = 512;

/// A session with the server.
pub(super) struct ServerSession {
    pub(super) client: Arc<Client>,
    /// Set by a warning of the server that it stopped to wait for a standby.
    pub(super) is_unreplicated: Arc<AtomicBool>,
    statements: HashMap<Box<str>, Statement>,
}

impl ServerSession {
    /// Begins a session with the first host that may be used for this purpose.
    pub(super) fn connect(hosts: &Hosts, purpose: Purpose) -> Result<Self> {
        let (client, mut connection) = hosts.connect(purpose)?;
        let is_unreplicated = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_unreplicated);
        let serve = async move {
            // A warning comes before the answer that it is about, so it is noted before the answer is passed on.
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message
                    && notice.routine() == Some("SyncRepWaitForLSN")
                {
                    seen.store(true, Ordering::Relaxed);
                }
            }
        };
        runtime().map_err(|error| Error::new(ErrorKind::Refused, error.to_string()))?.spawn(serve);
        Ok(Self { client: Arc::new(client), is_unreplicated, statements: HashMap::new() })
    }

    /// The prepared statement of this text, if there is one.
    pub(super) fn known(&self, sql: &str) -> Option<Statement> {
        self.statements.get(sql).cloned()
    }

    /// Keeps a prepared statement.
    pub(super) fn keep(&mut self, sql: &str, statement: Statement) {
        if self.statements.len() >= MOST_STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.into(), statement);
    }
}
