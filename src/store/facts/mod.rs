//! Facts: events, deployments and bodies that were not understood, stored as received.

pub(super) mod delivery;
pub(super) mod deployment;
pub(super) mod event;
pub(super) mod quarantine;
pub(super) mod record;
pub(super) mod related_changes;
pub(super) mod retention;
pub(super) mod subject_key;
