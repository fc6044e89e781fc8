//! The engine PostgreSQL: everything that knows tokio-postgres and the server's own statements.

mod answers;
pub(in crate::store) mod connection;
mod dialect;
mod error;
pub(in crate::store) mod guarantees;
pub(in crate::store) mod host;
pub(in crate::store) mod lease;
pub(in crate::store) mod migrations;
pub(in crate::store) mod new_database;
pub(in crate::store) mod open;
mod password_file;
mod purpose;
pub(in crate::store) mod replica;
pub(in crate::store) mod row;
mod runtime;
pub(in crate::store) mod server;
mod server_session;
mod silent_sessions;
mod statistics;
pub(in crate::store) mod tls;
mod turns;
pub(in crate::store) mod unfolded;
mod values;
pub(in crate::store) mod whole_store;
