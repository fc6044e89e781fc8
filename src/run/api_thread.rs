//! The thread for requests to PagerDuty's REST API.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Niceness of the thread, from 0 to 19. A higher number leaves more time to other threads.
const NICENESS: i32 = 10;

/// A thread of its own, because reading thousands of incidents takes much computation, and webhooks must not wait for it.
/// It ends once this is dropped, together with the tasks that are left.
pub(super) struct ApiThread {
    /// Handle to spawn tasks on the thread.
    pub(super) handle: Handle,
    _end: oneshot::Sender<()>,
}

impl ApiThread {
    pub(super) fn start() -> io::Result<Self> {
        let (send_handle, handle) = mpsc::channel();
        let (end, ended) = oneshot::channel::<()>();
        // The runtime is made on the thread, because it must not be dropped inside of another one.
        let run = move || {
            // Without the lower priority, webhooks wait a little longer.
            let _ = rustix::process::nice(NICENESS);
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    let _ = send_handle.send(Ok(runtime.handle().clone()));
                    // The only result is that the sender was dropped.
                    let _ = runtime.block_on(ended);
                }
                Err(error) => drop(send_handle.send(Err(error))),
            }
        };
        thread::Builder::new().name("pagerduty-api".to_owned()).spawn(run)?;
        let handle = handle.recv().map_err(io::Error::other)??;
        Ok(Self { handle, _end: end })
    }
}
