//! Mistakes and warnings about values that do not fit each other.

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

    /// Adds a finding about these bytes of the text.
    pub(super) fn at(&mut self, span: Range<usize>, message: impl fmt::Display) {
        self.found.push(self.source_map.problem(span, message));
    }

    /// Adds a finding about this key. Its line is found later.
    pub(super) fn about(&mut self, key: &str, message: impl fmt::Display) {
        self.found.push(Problem::with_key(key, message));
    }

    /// Line of a place.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.source_map.line(span.start)
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.found
    }
}
