//! Cache of the boards of the last choices of period and filters.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::boards::{Board, BoardQuery};
use super::cached_figures::{CachedFigures, ComputeLock};

/// Largest number of choices whose boards are kept. A board of 10,000 services takes some ten megabytes.
const MOST_BOARDS: usize = 4;

/// A cache for each of the last choices.
pub(super) struct BoardCache {
    /// The latest choice first.
    last: Mutex<VecDeque<(BoardQuery, Arc<CachedFigures<Board>>)>>,
    compute_lock: ComputeLock,
}

impl BoardCache {
    /// An empty cache.
    pub(super) fn new(compute_lock: ComputeLock) -> Self {
        Self { last: Mutex::default(), compute_lock }
    }

    /// The cache of a choice. If there are too many choices, the one that was asked for the longest time ago is
    /// forgotten. The choice of a person who chooses nothing stays: looking at some services must not make the first
    /// page slow.
    pub(super) fn of(&self, query: &BoardQuery) -> Arc<CachedFigures<Board>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.iter().position(|(known, _)| known == query).and_then(|at| last.remove(at));
        let (query, cache) = known.unwrap_or_else(|| {
            (query.clone(), Arc::new(CachedFigures::new(false, self.compute_lock.clone())))
        });
        last.push_front((query, Arc::clone(&cache)));
        let is_forgotten = |(known, _): &(BoardQuery, _)| *known != BoardQuery::DEFAULT;
        if last.len() > MOST_BOARDS
            && let Some(at) = last.iter().rposition(is_forgotten)
        {
            last.remove(at);
        }
        cache
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(service: &str) -> BoardQuery {
        BoardQuery { service: Some(service.to_owned()), ..BoardQuery::DEFAULT }
    }

    #[test]
    fn the_choices_that_are_used_are_kept() {
        let cache = BoardCache::new(ComputeLock::default());
        let first = cache.of(&query("a"));
        for service in ["b", "c", "a", "d", "e"] {
            cache.of(&query(service));
        }
        assert!(Arc::ptr_eq(&first, &cache.of(&query("a"))), "it was asked for again");
        let forgotten = cache.of(&query("b"));
        for service in ["c", "d", "e", "f"] {
            cache.of(&query(service));
        }
        assert!(!Arc::ptr_eq(&forgotten, &cache.of(&query("b"))));
        assert_eq!(cache.last.lock().unwrap().len(), MOST_BOARDS);
    }

    #[test]
    fn the_first_page_without_a_choice_is_kept() {
        let cache = BoardCache::new(ComputeLock::default());
        let default = cache.of(&BoardQuery::DEFAULT);
        for service in ["a", "b", "c", "d", "e"] {
            cache.of(&query(service));
        }
        assert!(Arc::ptr_eq(&default, &cache.of(&BoardQuery::DEFAULT)));
        assert_eq!(cache.last.lock().unwrap().len(), MOST_BOARDS);
    }
}
