//! The backlog: events that are kept, and whose failures do not know them yet.

/// From that many events in one transaction on, it is a rush.
pub(in crate::store) const RUSH_FROM_EVENTS: usize = 12;
/// The least that is folded at a time.
const SMALLEST_SLICE: usize = 256;
/// Number of events that are folded at a time while nobody waits.
pub(in crate::store) const LARGE_SLICE: usize = 4_096;
/// A batch is this part of all events that may wait. Only when all of it is folded does the disk know that any of it is,
/// so a smaller batch leaves less to a start after a crash; a larger one brings more of an incident's events together.
const BATCHES: usize = 16;

/// Number of events to fold beside a group of writes, so that the backlog shrinks and nobody waits for long.
pub(in crate::store) fn slice_beside(group: usize) -> usize {
    (2 * group).max(SMALLEST_SLICE)
}

/// An event that is kept, and whose failure does not know it yet. Small, because many may wait: the rest of it is read
/// from its body when it is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Unfolded {
    /// Key of the failure: the events of one are folded together.
    pub(in crate::store) failure_key: i64,
    /// Row of the event.
    pub(in crate::store) row: i64,
}

/// Events that an earlier process kept and did not come to fold.
pub(in crate::store) struct Remaining {
    /// Events about an incident, which are folded next.
    pub(in crate::store) events: Vec<Unfolded>,
    /// The last event that was looked at.
    pub(in crate::store) up_to: i64,
}

/// Events kept and not folded yet.
pub(in crate::store) struct Backlog {
    /// The largest batch.
    most_in_batch: usize,
    /// In order of arrival.
    waiting: Vec<Unfolded>,
    /// The last event that is kept, also of those that are about no incident: nothing of them is to be folded.
    kept_up_to: i64,
    /// All events up to this one are folded.
    folded_up_to: i64,
    /// Being folded, from its end. Sorted, so that an incident's events are together, and neighbours in the index.
    batch: Vec<Unfolded>,
    /// The last row of the batch as it was at first, and how many there were.
    batch_up_to: i64,
    batch_events: usize,
}

impl Backlog {
    pub(in crate::store) fn new(most_unfolded: usize) -> Self {
        Self {
            most_in_batch: (most_unfolded / BATCHES).max(SMALLEST_SLICE),
            waiting: Vec::new(),
            kept_up_to: 0,
            folded_up_to: 0,
            batch: Vec::new(),
            batch_up_to: 0,
            batch_events: 0,
        }
    }

    /// `true` if everything that is kept is folded.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.batch.is_empty() && self.kept_up_to <= self.folded_up_to
    }

    /// Number of events that a start after a crash would find unfolded, including those of a batch that is folded
    /// in part.
    pub(in crate::store) fn len_after_a_crash(&self) -> usize {
        self.waiting.len() + if self.batch.is_empty() { 0 } else { self.batch_events }
    }

    /// Takes in what was committed: the last event that was kept, and those that are to be folded.
    pub(in crate::store) fn extend(
        &mut self,
        kept_up_to: Option<i64>,
        fresh: impl IntoIterator<Item = Unfolded>,
    ) {
        self.kept_up_to = self.kept_up_to.max(kept_up_to.unwrap_or(0));
        self.waiting.extend(fresh);
    }

    /// About `wanted` of the events to be folded next. An incident's are not split.
    pub(in crate::store) fn slice(&mut self, wanted: usize) -> Slice {
        if self.batch.is_empty() {
            let events = self.waiting.len().min(self.most_in_batch);
            self.batch = self.waiting.drain(..events).collect();
            let last = self.batch.last().filter(|_| !self.waiting.is_empty());
            self.batch_up_to = last.map_or(self.kept_up_to, |last| last.row);
            self.batch_events = events;
            self.batch.sort_unstable();
        }
        let start = self.batch.len().saturating_sub(wanted);
        let start = self.batch.get(start).map_or(start, |first| {
            self.batch.partition_point(|unfolded| unfolded.failure_key < first.failure_key)
        });
        let events = self.batch.get(start..).unwrap_or_default().to_vec();
        Slice { start, events, up_to: (start == 0).then_some(self.batch_up_to) }
    }

    /// Lets go of what was folded, now that it is committed.
    pub(in crate::store) fn done(&mut self, slice: &Slice) {
        self.batch.truncate(slice.start);
        self.folded_up_to = slice.up_to.unwrap_or(self.folded_up_to);
    }
}

/// A part of the backlog.
pub(in crate::store) struct Slice {
    start: usize,
    /// The events to fold.
    pub(in crate::store) events: Vec<Unfolded>,
    /// All rows up to this one are folded once it is. `None`: not all.
    pub(in crate::store) up_to: Option<i64>,
}
