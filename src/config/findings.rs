//! Mistakes and warnings that are found while the values of a configuration are compared with each other.

use std::fmt;
use std::ops::Range;

use super::Problem;
use super::source_map::SourceMap;

/// Collects mistakes or warnings, each with its place.
pub(super) struct Findings<'a> {
    source_map: &'a SourceMap,
    found: Vec<Problem>,
}

impl<'a> Findings<'a> {
    pub(super) fn in_text(source_map: &'a SourceMap) -> Self {
        Self { source_map, found: Vec::new() }
    }

    /// Something at these bytes.
    pub(super) fn at(&mut self, span: Range<usize>, said: impl fmt::Display) {
        self.found.push(self.source_map.problem(span, said));
    }

    /// Something about this key, wherever it is set.
    pub(super) fn about(&mut self, key: &str, said: impl fmt::Display) {
        self.found.push(Problem::with_key(key, said));
    }

    /// The line of a place.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.source_map.line(span.start)
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.found
    }
}
