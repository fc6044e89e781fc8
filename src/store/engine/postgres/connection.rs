//! A connection to a database of PostgreSQL. It is made when it is first needed, and again after it was lost.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::future::join;
use tokio_postgres::{Client, Statement};

use super::answers::{by_statement, first_columns};
use super::dialect;
use super::host::Hosts;
use super::purpose::Purpose;
use super::row::PostgresRow;
use super::server_session::ServerSession;
use crate::store::engine::sql::error::ErrorKind;
use crate::store::engine::sql::{Error, Result, Row, Value};
use crate::store::engine::wait::wait;

/// Longest wait for the answer to a COMMIT, which may wait for a standby.
const COMMIT_LIMIT: Duration = Duration::from_secs(10);

/// A connection to a database.
pub(in crate::store) struct Connection {
    hosts: Arc<Hosts>,
    purpose: Purpose,
    /// The session with the server. `None` before the first statement, and after it was lost.
    session: RefCell<Option<ServerSession>>,
    /// Number of sessions so far.
    sessions: Cell<u64>,
    /// Number of open cursors. One may be open while the rows of another one are read.
    cursors: Cell<u64>,
    transaction: Cell<Transaction>,
    /// `true` while rows of a statement are read. The next statement has to wait until all of them are.
    is_reading: Cell<bool>,
}

/// State of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// There is none.
    None,
    /// Every statement so far has succeeded.
    Open,
    /// A statement has failed, so a COMMIT would be a ROLLBACK, without an error.
    Failed,
}

impl Connection {
    /// A connection that is made when it is first needed.
    pub(super) fn new(hosts: Arc<Hosts>, purpose: Purpose) -> Self {
        Self {
            hosts,
            purpose,
            session: RefCell::new(None),
            sessions: Cell::new(0),
            cursors: Cell::new(0),
            transaction: Cell::new(Transaction::None),
            is_reading: Cell::new(false),
        }
    }

    /// Reads the first row.
    pub(in crate::store) fn one<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        // Statements that are read with this function have one row, or few.
        let rows = self.rows(sql, params)?;
        rows.first().map(|row| read(&Row::Postgres(PostgresRow(row)))).transpose()
    }

    /// Reads all rows at once, and then calls `read` with each.
    pub(in crate::store) fn each_of_few(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let rows = self.rows(sql, params)?;
        rows.iter().try_for_each(|row| read(&Row::Postgres(PostgresRow(row))))
    }

    fn rows(&self, sql: &str, params: &[Value<'_>]) -> Result<Vec<tokio_postgres::Row>> {
        let (client, statement) = self.prepare(sql)?;
        self.answer(async {
            let rows = client.query_raw(&statement, params.iter()).await?;
            rows.try_collect().await
        })
    }

    /// Reads all rows. In reads and copies they are passed on as they come, because there may be many, and no other statement
    /// can be run meanwhile.
    pub(in crate::store) fn each(
        &self,
        sql: &str,
        params: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        if !matches!(self.purpose, Purpose::Read | Purpose::Migrate) {
            return self.each_of_few(sql, params, read);
        }
        let (client, statement) = self.prepare(sql)?;
        let rows = self.answer(client.query_raw(&statement, params.iter()))?;
        let mut rows = pin!(rows);
        self.is_reading.set(true);
        let done = loop {
            match self.answer(rows.try_next()) {
                Err(error) => break Err(error),
                Ok(None) => break Ok(()),
                Ok(Some(row)) => match read(&Row::Postgres(PostgresRow(&row))) {
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
            }
        };
        self.is_reading.set(false);
        done
    }

    /// Reads rows until `read` returns a value. They are fetched a few at a time, so that the server does not send what
    /// nobody reads, and other statements can be run in between.
    pub(in crate::store) fn find<T>(
        &self,
        sql: &str,
        params: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        // A cursor needs a transaction.
        let is_alone = self.transaction.get() == Transaction::None;
        if is_alone {
            self.begin("BEGIN READ ONLY")?;
        }
        let cursor = format!("c{}", self.cursors.replace(self.cursors.get() + 1));
        let declared = self.run(&format!("DECLARE {cursor} NO SCROLL CURSOR FOR {sql}"), params);
        let found = declared.and_then(|_| self.fetch(&cursor, read));
        self.cursors.set(self.cursors.get() - 1);
        if is_alone {
            self.roll_back();
        } else if self.transaction.get() == Transaction::Open {
            self.batch(&format!("CLOSE {cursor}"))?;
        }
        found
    }

    fn fetch<T>(
        &self,
        cursor: &str,
        mut read: impl FnMut(&Row<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        const AT_A_TIME: usize = 200;
        let sql = format!("FETCH FORWARD {AT_A_TIME} FROM {cursor}");
        loop {
            let client = self.client()?;
            let rows = self.answer(client.query_typed(&sql, &[]))?;
            for row in &rows {
                if let Some(found) = read(&Row::Postgres(PostgresRow(row)))? {
                    return Ok(Some(found));
                }
            }
            if rows.len() < AT_A_TIME {
                return Ok(None);
            }
        }
    }

    /// Runs a statement, and returns how many rows it changed.
    pub(in crate::store) fn run(&self, sql: &str, params: &[Value<'_>]) -> Result<usize> {
        let (client, statement) = self.prepare(sql)?;
        let changed = self.answer(client.execute_raw(&statement, params.iter()))?;
        usize::try_from(changed).map_err(|_| Error::damaged("more rows than memory"))
    }

    /// Inserts a row, and returns its number.
    pub(in crate::store) fn insert(&self, sql: &str, params: &[Value<'_>]) -> Result<Option<i64>> {
        self.one(&format!("{sql} RETURNING id"), params, |row| row.get(0))
    }

    /// Runs statements without parameters, in one message. Returns the first column of all rows.
    pub(super) fn batch(&self, sql: &str) -> Result<Vec<Option<String>>> {
        let client = self.client()?;
        self.simple(&client, sql, self.purpose.limit())
    }

    /// Begins a transaction with these statements, in one message. Returns the first column of the rows of each.
    pub(super) fn begin(&self, statements: &str) -> Result<Vec<Vec<Option<String>>>> {
        let client = self.client()?;
        self.transaction.set(Transaction::Open);
        self.answer_within(client.simple_query(statements), self.purpose.begin_limit())
            .map(by_statement)
            // Otherwise the connection would wait for an end of the transaction, and never be made again.
            .inspect_err(|_| {
                self.roll_back();
            })
    }

    /// Begins a transaction that reads one state of the database.
    pub(in crate::store) fn begin_reading(&self) -> Result<()> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").map(drop)
    }

    /// Commits the transaction, then runs `after`. Returns the first column of its rows.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] if the transaction may be committed or not, or may not be on a standby that the server
    /// should have waited for.
    pub(super) fn commit(&self, after: &str) -> Result<Vec<Option<String>>> {
        let unknown = |message: String| Error::new(ErrorKind::Unknown, message);
        if self.transaction.get() == Transaction::Failed {
            return Err(Error::new(ErrorKind::Refused, "a statement of the transaction has failed"));
        }
        let (client, is_unreplicated) = {
            let session = self.session.borrow();
            let Some(session) = session.as_ref() else { return Err(lost()) };
            (Arc::clone(&session.client), Arc::clone(&session.is_unreplicated))
        };
        is_unreplicated.store(false, Ordering::Relaxed);
        // Both messages are sent at once. They are two because a server reads its settings again only between messages:
        // a question in the same message would be answered with the setting of before the commit.
        let committing = async {
            let commit = client.simple_query("COMMIT");
            if after.is_empty() {
                return commit.await.map(|_| Ok(Vec::new()));
            }
            let (committed, answer) = join(commit, client.simple_query(after)).await;
            committed.map(|_| answer)
        };
        let committed = self.answer_within(committing, COMMIT_LIMIT);
        if committed.as_ref().map_or_else(Error::is_lost, |_| true) {
            self.transaction.set(Transaction::None);
        }
        match committed {
            Ok(_) if is_unreplicated.load(Ordering::Relaxed) => {
                Err(unknown("the server stopped to wait for a standby".to_owned()))
            }
            Ok(Ok(rows)) => Ok(first_columns(rows)),
            Ok(Err(error)) => {
                self.disconnect();
                Err(unknown(format!("nobody knows if a standby has the commit: {error}")))
            }
            Err(error) if error.is_lost() => {
                Err(unknown(format!("the connection was lost during a commit: {error}")))
            }
            Err(error) => Err(error),
        }
    }

    /// Undoes the open transaction. A transaction whose connection is lost is undone by the server.
    pub(in crate::store) fn roll_back(&self) -> bool {
        if self.transaction.replace(Transaction::None) == Transaction::None {
            return true;
        }
        let client = self.session.borrow().as_ref().map(|session| Arc::clone(&session.client));
        if let Some(client) = client
            && self.simple(&client, "ROLLBACK", self.purpose.limit()).is_err()
        {
            self.disconnect();
        }
        true
    }

    /// Ends the session. The next statement makes another one.
    pub(super) fn disconnect(&self) {
        self.session.replace(None);
    }

    /// Number of sessions so far.
    pub(super) fn sessions(&self) -> u64 {
        self.sessions.get()
    }

    /// Size of the database, in bytes.
    pub(in crate::store) fn size(&self) -> Result<u64> {
        const SIZE: &str = "SELECT pg_database_size(current_database())";
        let bytes: Option<i64> = self.one(SIZE, &[], |row| row.get(0))?;
        bytes.and_then(|bytes| u64::try_from(bytes).ok()).ok_or_else(Error::no_row)
    }

    /// The client, and the prepared statement.
    fn prepare(&self, sql: &str) -> Result<(Arc<Client>, Statement)> {
        let client = self.client()?;
        let known = self.session.borrow().as_ref().and_then(|session| session.known(sql));
        if let Some(known) = known {
            return Ok((client, known));
        }
        let statement = self.answer(client.prepare(&dialect::prepared(sql)))?;
        if let Some(session) = &mut *self.session.borrow_mut() {
            session.keep(sql, statement.clone());
        }
        Ok((client, statement))
    }

    /// The client of the session. Connects if there is none, except in a transaction.
    fn client(&self) -> Result<Arc<Client>> {
        if self.is_reading.get() {
            return Err(Error::damaged("a statement was run while the rows of another one were read"));
        }
        let known = self.session.borrow().as_ref().map(|session| Arc::clone(&session.client));
        match known {
            Some(client) if !client.is_closed() => return Ok(client),
            _ if self.transaction.get() != Transaction::None => return Err(self.failed(lost())),
            _ => {}
        }
        let session = ServerSession::connect(&self.hosts, self.purpose)?;
        let client = Arc::clone(&session.client);
        self.session.replace(Some(session));
        // A session without its settings would answer what is not durable.
        self.set_up(&client).inspect_err(|_| self.disconnect())?;
        self.sessions.set(self.sessions.get() + 1);
        Ok(client)
    }

    /// Makes the settings of a new session. A commit of a lost session may still wait for a standby in its process at the
    /// server. Another one would only wait as well, so there is none until it is done. The waits of sessions that are in use
    /// are shorter.
    fn set_up(&self, client: &Client) -> Result<()> {
        const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'
            AND datname = current_database() AND usename = current_user
            AND application_name = current_setting('application_name')
            AND state_change < clock_timestamp() - INTERVAL '2 seconds'";
        self.simple(client, &self.purpose.settings(), self.purpose.limit())?;
        if self.purpose.commits() {
            let waiting = self.simple(client, WAITING, self.purpose.limit())?;
            if waiting.first().and_then(Option::as_deref) != Some("0") {
                return Err(Error::new(ErrorKind::Lost, "earlier commits still wait for a standby"));
            }
        }
        Ok(())
    }

    fn simple(&self, client: &Client, sql: &str, limit: Duration) -> Result<Vec<Option<String>>> {
        self.answer_within(client.simple_query(sql), limit).map(first_columns)
    }

    /// The answer of the server.
    fn answer<T, F>(&self, future: F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    {
        self.answer_within(future, self.purpose.limit())
    }

    fn answer_within<T, F>(&self, future: F, limit: Duration) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    {
        match wait(future, limit) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(self.failed(error.into())),
            None => {
                let message = format!("the server has not answered for {} s", limit.as_secs());
                Err(self.failed(Error::new(ErrorKind::Lost, message)))
            }
        }
    }

    /// Notes an error: the transaction cannot be committed any more.
    fn failed(&self, error: Error) -> Error {
        // A statement of a turn that is too slow holds up only its own job: the rest of the group is committed without it.
        let error = if self.purpose == Purpose::Decide { error.too_slow_as_conflict() } else { error };
        if self.transaction.get() == Transaction::Open {
            self.transaction.set(Transaction::Failed);
        }
        if error.is_lost() {
            self.disconnect();
        }
        error
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Lost, "the connection to the server was lost")
}
