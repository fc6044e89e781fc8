//! The engine SQLite: everything that knows rusqlite, SQLite's statements about itself, and its files.

pub(in crate::store) mod backup;
pub(in crate::store) mod backup_error;
mod checkpoint;
pub(in crate::store) mod connection;
mod error;
pub(in crate::store) mod files;
pub(in crate::store) mod migrations;
pub(in crate::store) mod new_file;
pub(in crate::store) mod open;
#[cfg(test)]
pub(in crate::store) mod plan;
pub(in crate::store) mod row;
mod space;
pub(in crate::store) mod store_file;
mod unfinished;
