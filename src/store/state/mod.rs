//! State: failures, which follow from facts. Events are folded into failures, and failures are linked to the
//! deployments that caused and fixed them.

pub(super) mod changed_deployments;
pub(super) mod difference;
pub(super) mod duplicates;
mod failed_deployments;
pub(super) mod failure;
mod failure_kind;
pub(super) mod figure_columns;
pub(super) mod fold;
pub(super) mod links;
pub(super) mod merge_group;
mod reach;
pub(super) mod read_deployments;
pub(super) mod reading;
pub(super) mod reevaluate;
pub(super) mod renew;
pub(super) mod source_deployment;
pub(super) mod stored_failure;
pub(super) mod submission;
