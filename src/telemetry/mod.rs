//! Logs and metrics of the program itself.

mod backends;
pub mod connections;
pub mod deployment_reading;
pub mod dora;
pub mod intake;
pub mod log_queue;
pub mod logs;
pub mod metrics;
pub mod process;
pub mod reconciliation;
pub mod reloads;
pub mod replicas;
pub mod store;
