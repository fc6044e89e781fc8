//! Health of the program, on the first page.

mod backends;
pub(super) mod data;
mod deployment_reading;
mod facts;
mod received;
mod row;
pub(super) mod section;
