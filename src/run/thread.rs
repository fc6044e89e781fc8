//! Work that may take long, on a thread of its own.

use std::{io, thread};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Does this work on a thread of its own, which a process that ends does not wait for. The result is an error if the work
/// panics.
pub(super) fn in_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    let runtime = Handle::current();
    let run = move || {
        let _entered = runtime.enter();
        // Without a receiver, nobody waits any more.
        let _ = done.send(work());
    };
    thread::Builder::new().name("open-store".to_owned()).spawn(run)?;
    Ok(result)
}
