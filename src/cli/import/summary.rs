//! Summary of an import: the records that were found and stored.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::table::{Column, print_out, render, width};
use crate::domain::import::{ImportCounts, ImportOrder, ImportStep};
use crate::domain::printable::printable;
use crate::domain::timestamp::Timestamp;

/// Number of records that are listed on a terminal. JSON has all.
const LISTED: usize = 50;

/// The sum of all steps.
#[derive(Serialize)]
pub(super) struct Summary {
    since: Timestamp,
    until: Timestamp,
    /// Begin of this run: `since`, or the time up to which an earlier one has come.
    from: Timestamp,
    /// Time up to which records are done, by their start.
    pub(super) up_to: Timestamp,
    dry_run: bool,
    failures: ImportCounts,
    deployments: ImportCounts,
    /// Number of the added failures that have not ended.
    open: usize,
    /// Records that could not be read, by their ids, with the reasons.
    skipped: BTreeMap<String, String>,
    /// Seconds in which more started than one answer has.
    incomplete_seconds: Vec<Timestamp>,
}

impl Summary {
    pub(super) fn begin(ImportOrder { since, until, at, is_dry_run }: ImportOrder) -> Self {
        Self {
            since,
            until,
            from: at,
            up_to: at,
            dry_run: is_dry_run,
            failures: ImportCounts::default(),
            deployments: ImportCounts::default(),
            open: 0,
            skipped: BTreeMap::new(),
            incomplete_seconds: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, step: ImportStep) {
        self.up_to = step.at;
        self.failures += step.failures;
        self.deployments += step.deployments;
        self.open += step.open;
        self.skipped.extend(step.skipped);
        self.incomplete_seconds.extend(step.incomplete_seconds);
    }

    /// The parts that are missing. `None` if everything was read.
    pub(super) fn incomplete(&self) -> Option<String> {
        let mut missing = Vec::new();
        if !self.skipped.is_empty() {
            missing.push(format!("records that could not be read: {}", self.skipped.len()));
        }
        if !self.incomplete_seconds.is_empty() {
            missing.push(format!(
                "seconds of which Datadog lists only a part: {}",
                self.incomplete_seconds.len()
            ));
        }
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    pub(super) fn print(&self) {
        for (id, reason) in self.skipped.iter().take(LISTED) {
            print_out(format_args!("skipped: {}: {}", printable(id), printable(reason)));
        }
        if let Some(more) = self.skipped.len().checked_sub(LISTED).filter(|more| *more > 0) {
            print_out(format_args!("… and {more} more that were skipped: --format json has all.\n"));
        }
        for second in &self.incomplete_seconds {
            print_out(format_args!(
                "incomplete: Datadog lists only 1,000 of what started in the second {second}"
            ));
        }
        print_out(self.text(width()));
    }

    fn text(&self, width: usize) -> String {
        const COLUMNS: [Column; 5] = [
            Column::text("KIND"),
            Column::number("FOUND"),
            Column::number("ADDED"),
            Column::number("CHANGED"),
            Column::number("KEPT"),
        ];
        let row = |kind: &str, ImportCounts { found, added, changed, kept }: ImportCounts| {
            let numbers = [found, added, changed, kept].map(|number| number.to_string());
            [kind.to_owned()].into_iter().chain(numbers).collect()
        };
        let rows = [row("failures", self.failures), row("deployments", self.deployments)];
        let mut lines = vec![render(&COLUMNS, &rows, width).trim_end().to_owned(), String::new()];
        let read = format!("Read what started from {} to {}.", self.from.minute(), self.up_to.minute());
        lines.push(if self.dry_run { format!("{read} A dry run: nothing was changed.") } else { read });
        lines.push(
            "KEPT: unchanged since an earlier import, or stored here before by a webhook or the event API."
                .to_owned(),
        );
        if self.open > 0 {
            lines.push(format!("Added failures that have not ended: {}.", self.open));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_are_told() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let (since, until) = (at("2026-01-01T00:00:00Z"), at("2026-11-01T00:00:00Z"));
        let mut summary = Summary::begin(ImportOrder { since, until, at: since, is_dry_run: true });
        let counts = |found, added, changed, kept| ImportCounts { found, added, changed, kept };
        let step = ImportStep {
            failures: counts(12, 10, 1, 1),
            deployments: counts(1_234, 1_000, 0, 234),
            open: 2,
            ..ImportStep::begin(until)
        };
        summary.add(step);
        insta::assert_snapshot!(summary.text(80), @r"
        KIND         FOUND  ADDED  CHANGED  KEPT
        failures        12     10        1     1
        deployments   1234   1000        0   234

        Read what started from 2026-01-01 00:00 to 2026-11-01 00:00. A dry run: nothing was changed.
        KEPT: unchanged since an earlier import, or stored here before by a webhook or the event API.
        Added failures that have not ended: 2.
        ");
        assert_eq!(summary.incomplete(), None);
        summary.incomplete_seconds.push(since);
        assert!(summary.incomplete().is_some());
    }
}
