//! The outbox: what each backend was told, and what it has still to be told.

pub(super) mod attempts;
pub(super) mod claim;
pub(super) mod commands;
pub(super) mod desired;
pub(super) mod lane;
pub(super) mod reconcile;
pub(super) mod rows;
