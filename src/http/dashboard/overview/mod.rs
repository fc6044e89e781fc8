//! The first page.

pub(super) mod data;
mod getting_started;
mod groups;
pub(super) mod lists;
mod open_now;
pub(super) mod page;
mod recent;
