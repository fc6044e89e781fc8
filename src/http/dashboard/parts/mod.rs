//! Parts that several pages share.

pub(super) mod attempts;
pub(super) mod csv;
pub(super) mod decisions;
pub(super) mod deployment_table;
pub(super) mod event_table;
pub(super) mod failure_table;
pub(in crate::http) mod form;
pub(super) mod format;
pub(super) mod links;
pub(super) mod listing;
pub(super) mod page;
pub(in crate::http) mod site;
