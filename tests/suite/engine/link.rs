//! A test's own connection to a store of either engine.

use std::error::Error as StdError;
use std::path::Path;
use std::sync::LazyLock;
use std::thread;

use bytes::BytesMut;
use rusqlite::types::ValueRef;
use tokio::runtime::Runtime;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls};

use super::{is_on_postgres, store_url};

/// A connection to a store, whose daemon may be running.
pub(crate) enum Link {
    Sqlite(rusqlite::Connection),
    Postgres(Client),
}

/// The values of a row.
pub(crate) type Row = Vec<Value>;

/// A parameter, or a value in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

type Result<T> = std::result::Result<T, Box<dyn StdError + Send + Sync>>;

impl Link {
    /// Connects to the store that has this path.
    pub(crate) fn to(path: &Path) -> Self {
        if is_on_postgres(path) {
            Self::to_url(&store_url(path))
        } else {
            Self::Sqlite(rusqlite::Connection::open(path).unwrap())
        }
    }

    /// Connects to a schema.
    pub(crate) fn to_url(url: &str) -> Self {
        let (client, connection) = wait(tokio_postgres::connect(url, NoTls)).unwrap();
        RUNTIME.spawn(connection);
        Self::Postgres(client)
    }

    /// Runs statements without parameters.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(db) => db.execute_batch(sql)?,
            Self::Postgres(client) => wait(client.batch_execute(sql))?,
        }
        Ok(())
    }

    /// Runs a statement, and returns how many rows it changed.
    pub(crate) fn run(&self, sql: &str, params: &[Value]) -> usize {
        match self {
            Self::Sqlite(db) => db.execute(sql, rusqlite::params_from_iter(params)).unwrap(),
            Self::Postgres(client) => {
                let changed = wait(async {
                    let statement = client.prepare(&sql.replace('?', "$")).await?;
                    client.execute_raw(&statement, params).await
                });
                usize::try_from(changed.unwrap()).unwrap()
            }
        }
    }

    /// The rows that a query returns.
    pub(crate) fn rows(&self, sql: &str, params: &[Value]) -> Vec<Row> {
        match self {
            Self::Sqlite(db) => {
                let mut statement = db.prepare_cached(sql).unwrap();
                let columns = statement.column_count();
                let read = |row: &rusqlite::Row| (0..columns).map(|column| row.get(column)).collect();
                let rows = statement.query_map(rusqlite::params_from_iter(params), read).unwrap();
                rows.map(std::result::Result::unwrap).collect()
            }
            Self::Postgres(client) => {
                let rows = wait(async {
                    let statement = client.prepare(&sql.replace('?', "$")).await?;
                    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|value| value as _).collect();
                    client.query(&statement, &params).await
                });
                rows.unwrap()
                    .iter()
                    .map(|row| (0..row.len()).map(|column| row.get(column)).collect())
                    .collect()
            }
        }
    }

    /// The value in the first column of the first row that a query returns.
    pub(crate) fn value(&self, sql: &str, params: &[Value]) -> Value {
        let rows = self.rows(sql, params);
        rows.into_iter().flatten().next().unwrap_or_else(|| panic!("{sql} returns nothing"))
    }

    /// The statement of the engine of this connection.
    pub(crate) const fn choose<'a>(&self, sqlite: &'a str, postgres: &'a str) -> &'a str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }
}

/// Serves the connections to PostgreSQL.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});

/// Waits for a future in a thread of its own, because a test may run in a runtime, where it must not wait.
fn wait<T: Send>(future: impl Future<Output = T> + Send) -> T {
    thread::scope(|scope| scope.spawn(|| RUNTIME.block_on(future)).join().unwrap())
}

impl Value {
    pub(crate) fn integer(&self) -> i64 {
        match self {
            Self::Integer(number) => *number,
            other => panic!("{other:?} is no integer"),
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("{other:?} are no bytes"),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl rusqlite::types::FromSql for Value {
    fn column_result(value: ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(_) => return Err(rusqlite::types::FromSqlError::InvalidType),
            ValueRef::Text(_) => Self::Text(value.as_str()?.to_owned()),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_vec()),
        })
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) if *ty == Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
            Self::Integer(number) => number.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT4 | Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self> {
        Ok(match *ty {
            Type::INT8 => Self::Integer(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Integer(i32::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Integer(bool::from_sql(ty, raw)?.into()),
            Type::BYTEA => Self::Bytes(raw.to_vec()),
            _ => Self::Text(String::from_sql(ty, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT4 | Type::INT8 | Type::BOOL | Type::TEXT | Type::BYTEA)
    }
}
