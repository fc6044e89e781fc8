//! A store that is written as a whole to a new file.

use std::fs;
use std::path::Path;

use super::backup_error::BackupError;
use super::connection::Connection;
use super::open::{open_new, open_to_read};
use super::unfinished::{Unfinished, check_places, refuse_same};
use crate::store::engine::sql::{Db, Result as SqlResult, params};

/// Table whose ids are never used again (`AUTOINCREMENT`).
const NEVER_REUSED: &str = "quarantine";

/// A new file. It is removed unless it is finished.
pub(in crate::store) struct NewFile {
    // Dropped before the file is removed.
    db: Db,
    copy: Unfinished,
    /// Number of older files to keep.
    keep: u32,
}

impl NewFile {
    /// Begins to write a store. `source`: the file that is copied. `keep`: the new file may replace an older one, and so many
    /// older ones are kept, as `FILE.1` (the newest) to `FILE.N`. `None`: it replaces nothing.
    pub(in crate::store::engine) fn begin(
        source: Option<&Path>,
        file: &Path,
        keep: Option<u32>,
    ) -> Result<Self, BackupError> {
        refuse_same(source, file)?;
        // A link that leads nowhere is something, too.
        if keep.is_none() && fs::symlink_metadata(file).is_ok() {
            return Err(BackupError::Exists(file.to_owned()));
        }
        let keep = keep.unwrap_or(0);
        check_places(source, file, keep)?;
        let copy = Unfinished::begin(file)?;
        let db = Db::Sqlite(Connection::new(open_new(copy.path())?));
        db.run("BEGIN IMMEDIATE", params![])?;
        Ok(Self { db, copy, keep })
    }

    /// The connection.
    pub(in crate::store::engine) const fn db(&self) -> &Db {
        &self.db
    }

    /// Ends the writing. From now on the file can be read, by a connection that knows only what is in the file.
    pub(in crate::store::engine) fn written(&mut self) -> Result<(), BackupError> {
        self.db.run("COMMIT", params![])?;
        let reader = Db::Sqlite(Connection::new(open_to_read(self.copy.path())?));
        std::mem::replace(&mut self.db, reader).close()?;
        let intact: String = self.db.only("PRAGMA integrity_check", params![], |row| row.get(0))?;
        if intact == "ok" { Ok(()) } else { Err(BackupError::Damaged(intact)) }
    }

    /// Gives the file its name. Returns its length.
    pub(in crate::store::engine) fn finish(self) -> Result<u64, BackupError> {
        let Self { db, copy, keep } = self;
        db.close()?;
        let length = fs::metadata(copy.path()).map(|file| file.len());
        let length = length.map_err(|error| BackupError::Write { path: copy.path().to_owned(), error })?;
        copy.finish(keep)?;
        Ok(length)
    }
}

/// The last id that a table has used, if it never uses one again.
pub(in crate::store::engine) fn last_id(db: &Connection, table: &str) -> SqlResult<Option<i64>> {
    const LAST: &str = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    db.one(LAST, params![table], |row| row.get(0))
}

/// Makes a table that never uses an id again go on behind this one.
pub(in crate::store::engine) fn continue_after(db: &Connection, table: &str, id: i64) -> SqlResult<()> {
    const RAISE: &str = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
    const BEGIN: &str = "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
    if table == NEVER_REUSED && db.run(RAISE, params![table, id])? == 0 {
        db.run(BEGIN, params![table, id])?;
    }
    Ok(())
}
