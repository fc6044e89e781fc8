//! Addresses of stores.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

/// Address of a store.
#[derive(Debug, Clone)]
pub enum StoreAddress {
    /// A file of SQLite, which one daemon has for itself.
    File(PathBuf),
    /// A database of PostgreSQL, which several daemons share.
    Postgres(Arc<PostgresAddress>),
}

/// Address of a database of PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresAddress {
    /// URL of the database, without a password.
    pub url: String,
    /// URL for listings and figures, which may lag. `None`: they are read at `url`.
    pub read_url: Option<String>,
    /// User that a URL without one means.
    pub user: String,
    /// Password of the user. `None`: from the password file, or the server asks for none.
    pub password: Option<SecretString>,
    /// PostgreSQL's password file (`PGPASSFILE`, else `~/.pgpass`).
    pub password_file: Option<PathBuf>,
    /// File with the certificates that the server's certificate is verified with. `None`: those of the system.
    pub certificate_authority: Option<PathBuf>,
    /// Name of this daemon among those that share the database.
    pub replica: String,
    /// Condition on a commit before a webhook is answered 2xx.
    pub acknowledgement: Acknowledgement,
    /// Longest wait for a server that can be written to, when the store is opened.
    pub open_limit: Duration,
}

/// Condition on a commit before it is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Acknowledgement {
    /// The server says that it has committed.
    #[default]
    Server,
    /// A synchronous standby has it, too.
    Standby,
}

impl StoreAddress {
    /// The same store where it is written: without another server for listings and figures, which may lag.
    #[must_use]
    pub fn primary(&self) -> Self {
        match self {
            Self::File(path) => Self::File(path.clone()),
            Self::Postgres(address) => {
                Self::Postgres(Arc::new(PostgresAddress { read_url: None, ..(**address).clone() }))
            }
        }
    }

    /// Name of this daemon among those that share the store. `None` if the store is a file.
    pub fn replica(&self) -> Option<&str> {
        match self {
            Self::File(_) => None,
            Self::Postgres(address) => Some(&address.replica),
        }
    }

    /// The file. `None` if the store is a database of PostgreSQL.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

/// Name of the store for people: the path of the file, or the URL without its parameters.
impl fmt::Display for StoreAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Postgres(address) => {
                formatter.write_str(address.url.split_once('?').map_or(&*address.url, |(url, _)| url))
            }
        }
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for StoreAddress {
    fn from(path: &P) -> Self {
        Self::File(path.as_ref().to_owned())
    }
}
