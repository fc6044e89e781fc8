//! The outbox: the requests that were sent to each backend, and those that are still to be sent.

pub(super) mod apart;
pub(super) mod attempts;
pub(super) mod backfill;
pub(super) mod claim;
pub(super) mod commands;
pub(super) mod desired;
pub(super) mod group_commands;
pub(super) mod import;
pub(super) mod lane;
pub(super) mod late;
pub(super) mod mark_target;
pub(super) mod reconcile;
pub(super) mod rows;
pub(super) mod tell;
pub(super) mod told_again;

#[cfg(test)]
mod tests;
