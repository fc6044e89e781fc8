//! The end of the writers of a store, which has one or two.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use super::job::WriterState;

/// The end of one writer. The store's state changes when the last writer has stopped, or as soon as one cannot go on.
pub(in crate::store) struct WriterEnd {
    state: Arc<watch::Sender<WriterState>>,
    /// Number of writers that have not stopped.
    running: Arc<AtomicUsize>,
    is_told: bool,
}

impl WriterEnd {
    /// The ends of this number of writers, and the receiver of their state.
    pub(in crate::store) fn of<const WRITERS: usize>() -> ([Self; WRITERS], watch::Receiver<WriterState>) {
        let (state, ended) = watch::channel(WriterState::Running);
        let (state, running) = (Arc::new(state), Arc::new(AtomicUsize::new(WRITERS)));
        let end = || Self { state: Arc::clone(&state), running: Arc::clone(&running), is_told: false };
        ([(); WRITERS].map(|()| end()), ended)
    }

    /// Tells how the writer has ended.
    pub(in crate::store) fn report(mut self, state: WriterState) {
        self.tell(state);
    }

    fn tell(&mut self, state: WriterState) {
        self.is_told = true;
        let others_run = self.running.fetch_sub(1, Ordering::AcqRel) > 1;
        if state == WriterState::Stopped && others_run {
            return;
        }
        self.state.send_if_modified(|known| {
            // The first trouble is the one to tell.
            let is_first = *known == WriterState::Running;
            if is_first {
                *known = state;
            }
            is_first
        });
    }
}

impl Drop for WriterEnd {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(WriterState::InDoubt("its writer ended unexpectedly".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_doubt(reason: &str) -> WriterState {
        WriterState::InDoubt(reason.to_owned())
    }

    #[test]
    fn the_store_has_stopped_when_all_writers_have() {
        let ([one, other], ended) = WriterEnd::of();
        one.report(WriterState::Stopped);
        assert_eq!(*ended.borrow(), WriterState::Running);
        other.report(WriterState::Stopped);
        assert_eq!(*ended.borrow(), WriterState::Stopped);
    }

    #[test]
    fn one_writer_in_doubt_is_enough_and_the_first_reason_is_told() {
        let ([one, other], ended) = WriterEnd::of();
        one.report(in_doubt("the disk"));
        assert_eq!(*ended.borrow(), in_doubt("the disk"));
        other.report(WriterState::Stopped);
        assert_eq!(*ended.borrow(), in_doubt("the disk"));
    }

    #[test]
    fn a_writer_that_panics_is_in_doubt() {
        let ([one, _other], ended) = WriterEnd::of();
        drop(one);
        assert_eq!(*ended.borrow(), in_doubt("its writer ended unexpectedly"));
    }
}
