//! The engine: connections, the writer's thread and its group commit, and the files. It knows nothing of failures: its
//! work on stored events, and at the end of a transaction, is passed in as [`Hooks`](hooks::Hooks).
//!
//! `sqlite/` has everything that only SQLite has, and `postgres/` everything that only PostgreSQL has. A few files here choose
//! between the two. All other code of the store knows only `sql/`.

pub(super) mod address;
mod background;
pub(super) mod backlog;
pub(super) mod change_channels;
pub(super) mod copy_ends;
pub(super) mod copy_error;
pub(super) mod error;
pub(super) mod folding;
pub(super) mod health;
pub(super) mod hooks;
pub(super) mod job;
pub(super) mod json;
pub(super) mod merge_targets;
pub(super) mod open_error;
pub(super) mod open_store;
pub(super) mod postgres;
mod postponed;
pub(super) mod progress;
mod repeats;
pub(super) mod schema;
pub(super) mod session;
pub(super) mod settings;
pub(super) mod shared_gauges;
pub(super) mod sizes;
pub(super) mod sql;
pub(super) mod sqlite;
pub(super) mod time_limit;
mod wait;
pub(super) mod writer;
pub(super) mod writer_end;
