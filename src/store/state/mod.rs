//! State: what facts come to. Failures are folded from events, and linked to the deployments that caused and mended them.

pub(super) mod failure;
pub(super) mod figure_columns;
pub(super) mod fold;
pub(super) mod links;
pub(super) mod merge_group;
mod reach;
pub(super) mod reevaluate;
pub(super) mod renew;
pub(super) mod stored_failure;
pub(super) mod submission;
