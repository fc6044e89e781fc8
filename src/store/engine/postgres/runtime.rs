//! The runtime of the connections.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// The runtime that all connections of the process are served by. It has one thread, because a connection only moves
/// bytes.
pub(super) fn runtime() -> std::io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_name("postgres").enable_all().build()?;
    // If another thread was first, its runtime is used, and this one ends.
    if let Err(unused) = RUNTIME.set(runtime) {
        unused.shutdown_background();
    }
    RUNTIME.get().ok_or_else(|| std::io::Error::other("no runtime"))
}
