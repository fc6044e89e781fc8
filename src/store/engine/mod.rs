//! The engine: connections, the writer's thread and its group commit, and the files. It knows nothing of failures: its
//! work on stored events, and at the end of a transaction, is passed in as [`Hooks`](hooks::Hooks).

mod background;
pub(super) mod backlog;
pub(super) mod change_channels;
pub(super) mod checkpoint;
pub(super) mod error;
pub(super) mod files;
pub(super) mod health;
pub(super) mod hooks;
pub(super) mod job;
pub(super) mod json;
mod migrations;
pub(super) mod open_store;
pub(super) mod progress;
pub(super) mod schema;
pub(super) mod session;
pub(super) mod settings;
pub(super) mod sizes;
pub(super) mod space;
pub(super) mod writer;
