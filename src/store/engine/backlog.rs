//! The backlog: stored events that are not folded into their failures yet.

/// Minimum number of events in one transaction that counts as a rush.
pub(in crate::store) const RUSH_FROM_EVENTS: usize = 12;
/// Minimum number of events that are folded at a time.
const SMALLEST_SLICE: usize = 256;
/// Number of events that are folded at a time while nobody waits.
pub(in crate::store) const LARGE_SLICE: usize = 4_096;
/// Number of batches in a full backlog. Progress is stored after each batch: the start after a crash repeats at most
/// one batch. In a larger batch more events belong to the same incident, and such events are folded together.
const BATCHES: usize = 16;

/// Number of events to fold after a group of writes: enough that the backlog shrinks, few enough that nobody waits
/// long.
pub(in crate::store) fn slice_after_group(group: usize) -> usize {
    (2 * group).max(SMALLEST_SLICE)
}

/// A stored event that is not folded yet. Small, because many may wait: everything else is read from the body when the
/// event is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Unfolded {
    /// Key of the failure, or of the source's deployment. Events with the same key are folded together.
    pub(in crate::store) subject_key: i64,
    /// Row of the event.
    pub(in crate::store) row: i64,
}

/// Events that an earlier process stored and did not fold.
pub(in crate::store) struct LeftOver {
    /// Events about an incident, which are folded next.
    pub(in crate::store) events: Vec<Unfolded>,
    /// Row of the last event that was read.
    pub(in crate::store) up_to: i64,
}

/// Events that are stored and not folded yet.
pub(in crate::store) struct Backlog {
    /// The largest batch.
    most_in_batch: usize,
    /// Events outside the batch, in order of arrival.
    waiting: Vec<Unfolded>,
    /// Row of the last stored event, including events about no incident, which need no folding.
    stored_up_to: i64,
    /// All events up to this row are folded.
    folded_up_to: i64,
    /// Events of the present batch that are not folded yet. They are taken from the end. Sorted by key, so that the
    /// events of an incident are together, and its rows are close to each other in the index.
    batch: Vec<Unfolded>,
    /// All events up to this row are folded once the batch is finished.
    batch_up_to: i64,
    /// Number of events in the whole batch.
    batch_events: usize,
}

impl Backlog {
    pub(in crate::store) fn new(max_backlog: usize) -> Self {
        Self {
            most_in_batch: (max_backlog / BATCHES).max(SMALLEST_SLICE),
            waiting: Vec::new(),
            stored_up_to: 0,
            folded_up_to: 0,
            batch: Vec::new(),
            batch_up_to: 0,
            batch_events: 0,
        }
    }

    /// `true` if every stored event is folded.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.batch.is_empty() && self.stored_up_to <= self.folded_up_to
    }

    /// Number of events that a start after a crash would fold. All events of an unfinished batch count, because
    /// progress is stored only after the batch.
    pub(in crate::store) fn len_after_a_crash(&self) -> usize {
        self.waiting.len() + if self.batch.is_empty() { 0 } else { self.batch_events }
    }

    /// Adds what was committed: the row of the last stored event, and the events to fold.
    pub(in crate::store) fn extend(
        &mut self,
        stored_up_to: Option<i64>,
        to_fold: impl IntoIterator<Item = Unfolded>,
    ) {
        self.stored_up_to = self.stored_up_to.max(stored_up_to.unwrap_or(0));
        self.waiting.extend(to_fold);
    }

    /// The next events to fold, about `wanted`. Events of an incident are not split.
    pub(in crate::store) fn slice(&mut self, wanted: usize) -> Slice {
        if self.batch.is_empty() {
            let events = self.waiting.len().min(self.most_in_batch);
            self.batch = self.waiting.drain(..events).collect();
            let last = self.batch.last().filter(|_| !self.waiting.is_empty());
            self.batch_up_to = last.map_or(self.stored_up_to, |last| last.row);
            self.batch_events = events;
            self.batch.sort_unstable();
        }
        let start = self.batch.len().saturating_sub(wanted);
        let start = self.batch.get(start).map_or(start, |first| {
            self.batch.partition_point(|unfolded| unfolded.subject_key < first.subject_key)
        });
        let events = self.batch.get(start..).unwrap_or_default().to_vec();
        Slice { start, events, up_to: (start == 0).then_some(self.batch_up_to) }
    }

    /// Removes a slice that is folded and committed.
    pub(in crate::store) fn done(&mut self, slice: &Slice) {
        self.batch.truncate(slice.start);
        self.folded_up_to = slice.up_to.unwrap_or(self.folded_up_to);
    }
}

impl Slice {
    /// Events that a table has as not folded.
    pub(in crate::store) const fn of_table(events: Vec<Unfolded>) -> Self {
        Self { start: 0, events, up_to: None }
    }
}

/// A part of the backlog.
pub(in crate::store) struct Slice {
    start: usize,
    /// The events to fold.
    pub(in crate::store) events: Vec<Unfolded>,
    /// All events up to this row are folded once the slice is. `None` if the batch has more slices.
    pub(in crate::store) up_to: Option<i64>,
}
