//! Log lines on their way to standard error: a bounded queue, and a thread that writes.
//!
//! Whoever logs never waits, and never learns of a write that failed: a pipe that nobody reads, a closed one or a full
//! disk must not stop the service. Lines that cannot be written are dropped and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::log_limit::LogLimit;

/// Bytes of lines that may wait to be written.
const MOST_BYTES: usize = 1024 * 1024;

/// All lines dropped by this process, for `/metrics`.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The number of log lines that this process has dropped since its start.
pub fn lines_dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The queue. Clones share it.
#[derive(Clone)]
pub struct LogQueue(Arc<QueueState>);

struct QueueState {
    waiting: Mutex<WaitingLines>,
    /// Told of every line, and of every line written.
    changed: Condvar,
}

#[derive(Default)]
struct WaitingLines {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The thread has taken a line and has not written it yet.
    is_writing: bool,
    /// Lines dropped that no line has reported yet.
    unreported: u64,
}

impl LogQueue {
    /// Starts the thread that writes to `sink`. `report` is called on that thread once lines get through again, with
    /// the number of lines dropped, at most once a minute.
    pub fn start(sink: impl Write + Send + 'static, report: fn(u64)) -> io::Result<Self> {
        let shared = Arc::new(QueueState { waiting: Mutex::default(), changed: Condvar::new() });
        let queue = Self(Arc::clone(&shared));
        thread::Builder::new().name("log".into()).spawn(move || shared.write_all(sink, report))?;
        Ok(queue)
    }

    /// Adds a whole line, or drops it where too much waits.
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

    /// Waits until everything is written, but no longer than `patience`.
    pub fn flush(&self, patience: Duration) {
        let waiting = self.0.lock();
        let is_busy = |waiting: &mut WaitingLines| waiting.is_writing || !waiting.lines.is_empty();
        drop(self.0.changed.wait_timeout_while(waiting, patience, is_busy));
    }
}

/// A line's way into the queue: the formatter writes each line in one piece.
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
    /// A panic elsewhere leaves plain values behind, which are whole at every moment.
    fn lock(&self) -> MutexGuard<'_, WaitingLines> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes line after line, as long as the process lives.
    fn write_all(&self, mut sink: impl Write, report: fn(u64)) {
        let limit = LogLimit::default();
        loop {
            let line = self.next();
            let is_written = sink.write_all(&line).and_then(|()| sink.flush()).is_ok();
            let dropped = self.written(is_written, &limit);
            if dropped > 0 {
                report(dropped);
            }
            // After the report, which is a line itself: whoever flushes waits for it, too.
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

    /// The number of lines dropped, if it is to be reported now: when lines get through again, once a minute at most.
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

    /// A sink that takes a line, or fails, whenever it is told to.
    struct Sink {
        orders: Receiver<bool>,
        taken: Sender<String>,
    }

    impl Write for Sink {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if !self.orders.recv().unwrap_or(true) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let _ = self.taken.send(String::from_utf8(line.to_vec()).unwrap());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue(report: fn(u64)) -> (LogQueue, Sender<bool>, Receiver<String>) {
        let ((order, orders), (taken, lines)) = (channel(), channel());
        (LogQueue::start(Sink { orders, taken }, report).unwrap(), order, lines)
    }

    #[test]
    fn lines_come_in_order_and_a_flush_waits_for_them() {
        let (queue, order, lines) = queue(|_| panic!("none was dropped"));
        queue.push(b"a\n");
        queue.push(b"b\n");
        drop(order);
        queue.flush(PATIENCE);
        assert_eq!(lines.try_iter().collect::<String>(), "a\nb\n");
    }

    #[test]
    fn a_sink_that_stalls_stops_nobody_and_dropped_lines_are_counted_and_told() {
        static TOLD: AtomicU64 = AtomicU64::new(0);
        let (queue, order, lines) = queue(|dropped| TOLD.store(dropped, Ordering::Relaxed));
        let line = vec![b'x'; MOST_BYTES / 4];
        for _ in 0..20 {
            queue.push(&line);
        }
        queue.flush(Duration::ZERO);
        drop(order);
        queue.flush(PATIENCE);
        let written = lines.try_iter().count() as u64;
        assert!((4..=5).contains(&written), "{written}");
        assert_eq!(TOLD.load(Ordering::Relaxed), 20 - written);
        assert!(lines_dropped() >= 20 - written);
    }

    #[test]
    fn lines_that_cannot_be_written_are_told_once_one_gets_through() {
        static TOLD: AtomicU64 = AtomicU64::new(0);
        let (queue, order, lines) = queue(|dropped| TOLD.store(dropped, Ordering::Relaxed));
        for is_taken in [false, false, true] {
            queue.push(b"a\n");
            order.send(is_taken).unwrap();
        }
        queue.flush(PATIENCE);
        assert_eq!((lines.try_iter().count(), TOLD.load(Ordering::Relaxed)), (1, 2));
    }
}
