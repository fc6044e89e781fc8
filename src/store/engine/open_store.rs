//! The parts of an open store.

use rusqlite::Connection;

use super::checkpoint::Checkpointer;
use super::files::{Files, Lock};

/// The open store: the connection for writing, and the guards of its files.
pub(in crate::store) struct OpenStore {
    pub(in crate::store) db: Connection,
    /// Keeps other processes from writing. Dropped after the connection.
    pub(in crate::store) lock: Lock,
    pub(in crate::store) files: Files,
    pub(in crate::store) checkpointer: Checkpointer,
}
