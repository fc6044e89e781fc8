//! Turns PagerDuty incidents into DORA failure events, and keeps them right.
//!
//! The way of one webhook, file by file:
//!
//! 1. [`http`] reads it (`server`, `body`), and its source verifies it ([`sources::pagerduty::signature`]);
//! 2. the source reads its [`domain::event::Heading`], what has to be known to keep it ([`sources::pagerduty::payload`]);
//! 3. [`store`] keeps the event and syncs the disk; then it is answered 202;
//! 4. in the same transaction, or after a rush, [`store`] reads the whole event from its body, folds it into its
//!    incident ([`domain::history`]), evaluates the failure ([`domain::evaluate`]), and fills the outbox with what the
//!    [`backend`]s are to be told;
//! 5. [`forward`] sends what the outbox holds.
//!
//! [`run()`] is the seam that the program, its demo and its tests go through.

pub mod backend;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
mod embedded;
pub mod forward;
pub mod http;
mod http_client;
mod log_limit;
mod random;
mod run;
pub mod sources;
pub mod store;
pub mod telemetry;

pub use embedded::Embedded;
pub use run::{Listeners, OfflineStore, RunError, Shutdown, run};
