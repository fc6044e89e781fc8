//! Queue of log lines for standard error, and the thread that writes them.
//!
//! A thread that logs never waits, and gets no error from a failed write. So a pipe that nobody reads, a closed pipe or
//! a full disk cannot stop the service. Lines that cannot be written are dropped and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::log_limit::LogLimit;

/// Largest number of bytes that wait to be written.
const MOST_BYTES: usize = 1024 * 1024;

/// Lines that this process has dropped, for `/metrics`.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Number of log lines that this process has dropped.
pub fn lines_dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The queue. Clones share it.
#[derive(Clone)]
pub struct LogQueue(Arc<QueueState>);

struct QueueState {
    waiting: Mutex<WaitingLines>,
    /// Notified when a line is added, and when a line was written.
    changed: Condvar,
}

#[derive(Default)]
struct WaitingLines {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The thread has taken a line and has not written it yet.
    is_writing: bool,
    /// Number of dropped lines that are not reported yet.
    unreported: u64,
}

impl LogQueue {
    /// Starts the thread that writes to `sink`. Once lines get through again, that thread calls `report` with the
    /// number of dropped lines, at most once a minute.
    pub fn start(sink: impl Write + Send + 'static, report: fn(u64)) -> io::Result<Self> {
        let shared = Arc::new(QueueState { waiting: Mutex::default(), changed: Condvar::new() });
        let queue = Self(Arc::clone(&shared));
        thread::Builder::new().name("log".into()).spawn(move || shared.write_all(sink, report))?;
        Ok(queue)
    }

    /// Adds a whole line. Drops it if the queue is full.
    pub fn push(&self, line: &[u8]) {
        let mut waiting = self.0.lock();
        if waiting.bytes + line.len() > MOST_BYTES {
            waiting.count_dropped();
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line.to_vec());
        self.0.changed.notify_all();
    }

    /// Waits until everything is written, but no longer than `max_wait`.
    pub fn flush(&self, max_wait: Duration) {
        let waiting = self.0.lock();
        let is_busy = |waiting: &mut WaitingLines| waiting.is_writing || !waiting.lines.is_empty();
        drop(self.0.changed.wait_timeout_while(waiting, max_wait, is_busy));
    }
}

/// Adds lines to the queue. The formatter writes each line with one call.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl QueueState {
    /// The waiting lines. A poisoned lock is no problem: the plain values are valid at every moment.
    fn lock(&self) -> MutexGuard<'_, WaitingLines> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the lines, as long as the process lives.
    fn write_all(&self, mut sink: impl Write, report: fn(u64)) {
        let limit = LogLimit::default();
        loop {
            let line = self.next();
            let is_written = sink.write_all(&line).and_then(|()| sink.flush()).is_ok();
            let dropped = self.written(is_written, &limit);
            if dropped > 0 {
                report(dropped);
            }
            // Set after the report, because the report adds a line and `flush` must wait for that line, too.
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut waiting = self.lock();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.bytes -= line.len();
                waiting.is_writing = true;
                return line;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes that a line was written, or was not. Returns the number of dropped lines to report now: 0 if no line gets
    /// through, or if the last report is less than a minute old.
    fn written(&self, is_written: bool, limit: &LogLimit) -> u64 {
        let mut waiting = self.lock();
        if !is_written {
            waiting.count_dropped();
        } else if waiting.unreported > 0 && limit.pass(Instant::now()).is_some() {
            return std::mem::take(&mut waiting.unreported);
        }
        0
    }
}

impl WaitingLines {
    fn count_dropped(&mut self) {
        self.unreported += 1;
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A sink that waits for an order before each line: `true` accepts the line, `false` fails. Without a sender of
    /// orders it accepts all lines.
    struct Sink {
        orders: Receiver<bool>,
        accepted: Sender<String>,
    }

    impl Write for Sink {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if !self.orders.recv().unwrap_or(true) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let _ = self.accepted.send(String::from_utf8(line.to_vec()).unwrap());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue(report: fn(u64)) -> (LogQueue, Sender<bool>, Receiver<String>) {
        let ((order, orders), (accepted, lines)) = (channel(), channel());
        (LogQueue::start(Sink { orders, accepted }, report).unwrap(), order, lines)
    }

    #[test]
    fn lines_are_written_in_order_and_a_flush_waits_for_them() {
        let (queue, order, lines) = queue(|_| panic!("no line was dropped"));
        queue.push(b"a\n");
        queue.push(b"b\n");
        drop(order);
        queue.flush(PATIENCE);
        assert_eq!(lines.try_iter().collect::<String>(), "a\nb\n");
    }

    #[test]
    fn a_stalled_sink_blocks_nobody_and_dropped_lines_are_counted_and_reported() {
        static REPORTED: AtomicU64 = AtomicU64::new(0);
        let (queue, order, lines) = queue(|dropped| REPORTED.store(dropped, Ordering::Relaxed));
        let line = vec![b'x'; MOST_BYTES / 4];
        for _ in 0..20 {
            queue.push(&line);
        }
        queue.flush(Duration::ZERO);
        drop(order);
        queue.flush(PATIENCE);
        let written = lines.try_iter().count() as u64;
        assert!((4..=5).contains(&written), "{written}");
        assert_eq!(REPORTED.load(Ordering::Relaxed), 20 - written);
        assert!(lines_dropped() >= 20 - written);
    }

    #[test]
    fn lines_that_cannot_be_written_are_reported_once_a_line_gets_through() {
        static REPORTED: AtomicU64 = AtomicU64::new(0);
        let (queue, order, lines) = queue(|dropped| REPORTED.store(dropped, Ordering::Relaxed));
        for is_accepted in [false, false, true] {
            queue.push(b"a\n");
            order.send(is_accepted).unwrap();
        }
        queue.flush(PATIENCE);
        assert_eq!((lines.try_iter().count(), REPORTED.load(Ordering::Relaxed)), (1, 2));
    }
}
