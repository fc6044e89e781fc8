//! The outbox: its page, and its commands.

pub(in crate::http) mod commands;
pub(in crate::http) mod page;
mod rows;
