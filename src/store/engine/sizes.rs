//! Sizes of the store's files, and the free space on their disk.

use std::fs;
use std::path::{Path, PathBuf};

use super::sql::{self, Db};

/// Sizes in bytes. 0 for a file that is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The database file, or the database of a server.
    pub database: u64,
    /// The write-ahead log. `None` for a database of a server.
    pub wal: Option<u64>,
    /// Free space for this user on the file system. `None` if the system does not report it.
    pub free: Option<u64>,
}

/// Free space below which the disk counts as nearly full. During a long read the WAL alone may grow by this much.
pub const NEARLY_FULL_BYTES: u64 = 512 * 1024 * 1024;

impl Sizes {
    /// Sizes of the store that a connection has open.
    pub(in crate::store) fn of(db: &Db) -> sql::Result<Self> {
        match db {
            Db::Sqlite(db) => Ok(db.file().map_or_else(Self::default, Self::of_file)),
            Db::Postgres(db) => Ok(Self { database: db.size()?, ..Self::default() }),
        }
    }

    fn of_file(path: &Path) -> Self {
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let free = rustix::fs::statvfs(path).ok().map(|room| room.f_bavail.saturating_mul(room.f_frsize));
        Self { database: bytes(path), wal: Some(bytes(&PathBuf::from(wal))), free }
    }

    /// `true` if the disk will soon be full.
    pub fn is_nearly_full(&self) -> bool {
        self.free.is_some_and(|free| free < NEARLY_FULL_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::open_store::open_to_write;

    #[test]
    fn an_open_store_has_sizes_and_free_space() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_to_write(&folder.path().join("store.db")).unwrap();
        let sizes = Sizes::of(&db).unwrap();
        assert!(sizes.wal > Some(0) && sizes.free.is_some_and(|free| free > 0), "{sizes:?}");
        assert!(!Sizes { free: Some(NEARLY_FULL_BYTES), ..sizes }.is_nearly_full());
        assert!(Sizes { free: Some(NEARLY_FULL_BYTES - 1), ..sizes }.is_nearly_full());
    }
}
