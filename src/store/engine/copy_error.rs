//! Reasons why a store was not copied.

use super::open_error::OpenError;
use super::sql;
use super::sqlite::backup_error::BackupError;

/// Reason why a store was not copied. Nothing is at the target then, except if that is in doubt.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file of the copy cannot be made.
    #[error(transparent)]
    File(#[from] BackupError),
    /// Daemons use the source.
    #[error("the store {0} is in use: stop all daemons that use it, wait 15 seconds, and try again")]
    SourceInUse(String),
    /// The source has events that are stored and not folded.
    #[error(
        "the store {0} has events that did not become failures yet: start the daemon, and look at its log"
    )]
    NotFolded(String),
    /// The target has tables already.
    #[error(
        "{0} is not empty: name a schema without the tables of a store (options=-csearch_path%3DNAME in the URL), or remove \
         the one that is there (DROP SCHEMA … CASCADE, then CREATE SCHEMA …)"
    )]
    NotEmpty(String),
    /// The target is the source.
    #[error("{0} is the store itself: name another target")]
    IsSource(String),
    /// Texts that PostgreSQL cannot store.
    #[error("PostgreSQL stores no text with a NUL character, and the store has some:{}", listed(.0))]
    Nul(Vec<String>),
    /// The source cannot be read.
    #[error("cannot read {table}: {error}")]
    Read {
        /// The table.
        table: &'static str,
        /// Error of the database.
        error: sql::Error,
    },
    /// The target cannot be written.
    #[error("cannot write {rows}: {error}")]
    Write {
        /// The rows.
        rows: String,
        /// Error of the database.
        error: sql::Error,
    },
    /// The end of the copy has no clear answer.
    #[error("{target} may have the copy or not: look there before you try again ({error})")]
    InDoubt {
        /// The target.
        target: String,
        /// Error of the database.
        error: sql::Error,
    },
    /// Tables of the copy differ from those of the store.
    #[error("the copy differs from the store, and was removed:{}", listed(.0))]
    Differs(Vec<String>),
}

/// One text a line.
fn listed(texts: &[String]) -> String {
    texts.iter().flat_map(|text| ["\n  ", text]).collect()
}
