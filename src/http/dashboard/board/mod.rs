//! Figures of a choice of period and filters: the parts of the pages that have any.

pub(super) mod filter_bar;
mod lists;
pub(super) mod other_envs;
pub(super) mod over_time;
pub(in crate::http) mod query;
pub(super) mod tiles;
pub(super) mod view;
pub(super) mod words;
