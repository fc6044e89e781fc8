//! Search for the failures of a page.
//!
//! Either a filter lets few kinds of failures through: then the failures of each kind are read from the index of kinds,
//! and merged. Or it lets many kinds through: then the failures are read in the order of the listing, and those of other
//! kinds are skipped. If too many would be skipped, the rest is merged after all.

use std::collections::{BinaryHeap, HashSet};

use super::failure_filter::FailureFilter;
use super::failure_kinds::{KindRow, MatchingKinds};
use super::place::Place;
use crate::domain::failure::FailureState;
use crate::domain::timestamp::Timestamp;
use crate::store::engine::sql::{self, Db, params};

/// Limits that decide between reading in order and merging.
#[derive(Debug)]
struct Limits {
    /// Largest number of kinds that are merged at once.
    few: usize,
    /// Number of failures that are read in order before all kinds are listed.
    scanned: usize,
    /// Number of failures that are read in order in about the time in which one kind is searched.
    scanned_for_a_kind: usize,
}

const LIMITS: Limits = Limits { few: 2_000, scanned: 2_000, scanned_for_a_kind: 8 };

/// The next failure of a kind that is not open. The state is in the text: with a parameter SQLite could not use the
/// index.
const ENDED_OF_KIND: &str = "SELECT started_at_ns, id FROM failure
    WHERE kind = ?1 AND state <> 'open' AND started_at_ns >= ?2 AND (started_at_ns, id) < (?3, ?4)
    ORDER BY started_at_ns DESC, id DESC LIMIT 1";
/// The next failure of a kind that is open.
const OPEN_OF_KIND: &str = "SELECT started_at_ns, id FROM failure
    WHERE kind = ?1 AND state = 'open' AND started_at_ns >= ?2 AND (started_at_ns, id) < (?3, ?4)
    ORDER BY started_at_ns DESC, id DESC LIMIT 1";
/// All failures.
const IN_ORDER: &str = "SELECT started_at_ns, id, kind FROM failure
    WHERE state IS NOT NULL AND started_at_ns >= ?1 AND (started_at_ns, id) < (?2, ?3)
    ORDER BY started_at_ns DESC, id DESC";
/// All open failures.
const OPEN_IN_ORDER: &str = "SELECT started_at_ns, id, kind FROM failure
    WHERE state = 'open' AND finished_at_ns IS NULL AND started_at_ns >= ?1 AND (started_at_ns, id) < (?2, ?3)
    ORDER BY started_at_ns DESC, id DESC";

/// A search that is under way.
struct Search<'a> {
    db: &'a Db,
    filter: &'a FailureFilter,
    since_ns: i64,
    /// Place of the last failure that was looked at.
    last: Place,
    most: usize,
    found: Vec<Place>,
}

/// The failures that pass the filter and have a place after `after`, at most `most`.
pub(super) fn search(db: &Db, filter: &FailureFilter, after: Place, most: usize) -> sql::Result<Vec<Place>> {
    Search::new(db, filter, after, most).run(&LIMITS)
}

impl<'a> Search<'a> {
    fn new(db: &'a Db, filter: &'a FailureFilter, after: Place, most: usize) -> Self {
        let since_ns = filter.since.map_or(i64::MIN, Timestamp::as_nanos);
        // The latest come first, so the listing begins just before the end.
        let last = filter.until.map_or(after, |until| after.min((until.as_nanos(), i64::MIN)));
        Self { db, filter, since_ns, last, most, found: Vec::new() }
    }

    fn run(mut self, limits: &Limits) -> sql::Result<Vec<Place>> {
        let Some(mut kinds) = MatchingKinds::of(self.db, self.filter) else {
            self.in_order(usize::MAX, |_| Ok(true))?;
            return Ok(self.found);
        };
        let mut all = kinds.list(limits.few.saturating_add(1))?;
        if all.len() > limits.few {
            if self.in_order(limits.scanned, |kind| kinds.contain(kind))? {
                return Ok(self.found);
            }
            all = kinds.list(usize::MAX)?;
            let worthwhile = all.len().saturating_mul(limits.scanned_for_a_kind);
            let matching: HashSet<i64> = all.iter().map(|kind| kind.row).collect();
            if self.in_order(worthwhile, |kind| Ok(matching.contains(&kind)))? {
                return Ok(self.found);
            }
        }
        self.merge(&all)?;
        Ok(self.found)
    }

    /// Reads the next failures in order, at most `scanned`. `true`: all are found.
    fn in_order(
        &mut self,
        mut scanned: usize,
        mut matches: impl FnMut(i64) -> sql::Result<bool>,
    ) -> sql::Result<bool> {
        let is_open = self.filter.state == Some(FailureState::Open);
        let sql = if is_open { OPEN_IN_ORDER } else { IN_ORDER };
        let Self { since_ns, last, most, found, .. } = self;
        if found.len() >= *most || scanned == 0 {
            return Ok(found.len() >= *most);
        }
        let begin = *last;
        let is_complete = self.db.find(sql, params![*since_ns, begin.0, begin.1], |row| {
            scanned -= 1;
            *last = (row.get(0)?, row.get(1)?);
            if matches(row.get(2)?)? {
                found.push(*last);
            }
            let is_full = found.len() >= *most;
            Ok((is_full || scanned == 0).then_some(is_full))
        })?;
        Ok(is_complete.unwrap_or(true))
    }

    /// Merges the failures of the kinds, each of which has them in order.
    fn merge(&mut self, kinds: &[KindRow]) -> sql::Result<()> {
        let mut next = BinaryHeap::new();
        for kind in kinds {
            next.extend(self.of_kind(*kind, self.last)?);
        }
        while self.found.len() < self.most
            && let Some((place, kind)) = next.pop()
        {
            self.found.push(place);
            next.extend(self.of_kind(kind, place)?);
        }
        Ok(())
    }

    /// The first failure of a kind after a place.
    fn of_kind(&self, kind: KindRow, after: Place) -> sql::Result<Option<(Place, KindRow)>> {
        let sql = if kind.is_open { OPEN_OF_KIND } else { ENDED_OF_KIND };
        self.db.one(sql, params![kind.row, self.since_ns, after.0, after.1], |row| {
            Ok(((row.get(0)?, row.get(1)?), kind))
        })
    }
}

#[cfg(test)]
mod tests;
