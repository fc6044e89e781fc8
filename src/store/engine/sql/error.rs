//! Errors of the database, without the types of an engine.

use std::fmt;

/// Result of a statement, or of reading a row.
pub(in crate::store) type Result<T, E = Error> = std::result::Result<T, E>;

/// Error of the database. In a box, so that the results of reading a column stay small: a report reads millions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    message: String,
    kind: ErrorKind,
}

/// Consequence of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum ErrorKind {
    /// The statement failed, and its transaction can be rolled back: a full disk, a broken rule of a table.
    Refused,
    /// Another process held a lock for too long. A retry may work in a moment.
    Busy,
    /// Another replica held a lock for too long, both waited for each other, or a statement of a turn took too long. The
    /// transaction can be repeated, and the rest of it can be done alone.
    Conflict,
    /// A stored value has another type than its column, or is a word that this program never writes. Or the server says that
    /// its data is corrupt.
    Damaged,
    /// The connection to the server was lost, or none could be made. The server undoes the open transaction.
    Lost,
    /// No server takes this user, or has this database: there is no connection until somebody changes that.
    NoLogin,
    /// A commit has no clear answer: the transaction may be in the store or not. The connection can be used again.
    Unknown,
    /// The server has not done it in time, or the turn to decide has not come. The transaction can be repeated.
    TooSlow,
    /// A later start of the program, with another version or configuration, decides now.
    SteppedBack,
    /// The state of the store is unknown until it is opened again.
    InDoubt,
}

impl Error {
    /// An error of this kind.
    #[cold]
    pub(in crate::store) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Details { message: message.into(), kind }))
    }

    /// A stored value cannot be read, or a row is missing that has to be there.
    #[cold]
    pub(in crate::store) fn damaged(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, message)
    }

    /// A row is missing that has to be there.
    #[cold]
    pub(in crate::store) fn no_row() -> Self {
        Self::damaged("Query returned no rows")
    }

    /// `true` if a retry may work in a moment.
    pub fn is_busy(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Busy)
    }

    /// `true` if there is no connection to the server.
    pub(in crate::store) fn is_lost(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Lost | ErrorKind::NoLogin)
    }

    /// `true` if no server takes the user, or has the database.
    pub(in crate::store) fn is_no_login(&self) -> bool {
        matches!(self.0.kind, ErrorKind::NoLogin)
    }

    /// `true` if another process held a lock for too long, or a statement of a turn took too long.
    pub(in crate::store) fn is_conflict(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Conflict)
    }

    /// `true` if a commit has no clear answer.
    pub(in crate::store) fn is_unknown(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unknown)
    }

    /// `true` if a later start of the program decides now.
    pub(in crate::store) fn is_stepped_back(&self) -> bool {
        matches!(self.0.kind, ErrorKind::SteppedBack)
    }

    /// The same error; if a statement was too slow, as a conflict, so that only its own job is postponed.
    pub(in crate::store) fn too_slow_as_conflict(self) -> Self {
        self.changed(ErrorKind::TooSlow, ErrorKind::Conflict)
    }

    /// The same error; a lock that was waited for is here the turn, so the whole transaction is repeated.
    pub(in crate::store) fn conflict_as_too_slow(self) -> Self {
        self.changed(ErrorKind::Conflict, ErrorKind::TooSlow)
    }

    fn changed(mut self, from: ErrorKind, to: ErrorKind) -> Self {
        if self.0.kind == from {
            self.0.kind = to;
        }
        self
    }

    /// `true` if the same transaction may succeed when it is repeated in a moment: the connection was lost, a commit has no
    /// clear answer, another replica held a lock, or the server was too slow.
    pub(in crate::store) fn is_worth_repeating(&self) -> bool {
        self.is_lost() || matches!(self.0.kind, ErrorKind::Unknown | ErrorKind::Conflict | ErrorKind::TooSlow)
    }

    /// `true` if the state of the store is unknown until it is opened again.
    pub(in crate::store) fn is_in_doubt(&self) -> bool {
        matches!(self.0.kind, ErrorKind::InDoubt)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
