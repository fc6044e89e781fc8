//! Turns PagerDuty incidents into failures, forwards them to metrics backends, and computes DORA figures.
//!
//! The path of one webhook through the crate:
//!
//! 1. [`http`] reads the request (`server`, `body`), and the source verifies its signature
//!    ([`sources::pagerduty::signature`]);
//! 2. the source reads the [`domain::event::Heading`], which has the facts that are needed to store the event
//!    ([`sources::pagerduty::payload`]);
//! 3. [`store`] stores the event and syncs the disk; then the request is answered 202;
//! 4. in another transaction, later under load, [`store`] parses the body, folds the event into its
//!    incident ([`domain::history`]), evaluates the failure ([`domain::evaluate`]), and puts the requests for the
//!    [`backend`]s into the outbox;
//! 5. [`forward`] sends the rows of the outbox.
//!
//! [`run()`] is the one entry point for the program, its demo and its tests.

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
mod lease;
mod log_limit;
mod random;
pub mod reconcile;
mod run;
pub mod sources;
pub mod store;
pub mod telemetry;

pub use embedded::Embedded;
pub use run::{Listeners, OfflineStore, RunError, Signals, Watchdog, run};
