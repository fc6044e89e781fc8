//! What the program tells about itself: logs and metrics.

mod backends;
pub mod dora;
pub mod intake;
pub mod log_limit;
pub mod log_queue;
pub mod logs;
pub mod metrics;
pub mod process;
pub mod store;
