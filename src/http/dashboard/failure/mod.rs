//! Failures: the page of one, and their listing.

mod csv;
pub(in crate::http) mod list;
pub(in crate::http) mod list_query;
pub(in crate::http) mod page;
mod timeline;
