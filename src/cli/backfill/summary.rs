//! What a backfill has found and changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cli::changed_fields;
use crate::cli::report::in_unit;
use crate::cli::table::{Column, print_out, render, width};
use crate::domain::backfill::{AddedFailure, BackfillStep};
use crate::domain::changed_failure::ChangedFailure;
use crate::domain::figures::Row;
use crate::domain::figures::list::{FIGURES, Figure, Value};
use crate::domain::id::IncidentId;
use crate::domain::timestamp::Timestamp;

/// Number of failures and incidents that are listed on a terminal. JSON has all.
const LISTED: usize = 50;

/// The sum of all steps.
#[derive(Serialize)]
pub(super) struct Summary {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    /// Begin of this run: `since`, or the time up to which an earlier one has come.
    pub(super) from: Timestamp,
    /// Incidents that were created before are done.
    pub(super) up_to: Timestamp,
    pub(super) dry_run: bool,
    pub(super) incidents: usize,
    pub(super) events: usize,
    pub(super) added: Vec<AddedFailure>,
    pub(super) changed: Vec<ChangedFailure>,
    pub(super) skipped: BTreeMap<IncidentId, String>,
    /// Incidents that have just changed: their webhooks may be on their way.
    pub(super) deferred: BTreeSet<IncidentId>,
    /// Incidents that the webhook subscription is not about.
    pub(super) out_of_scope: usize,
    /// The figures that differ. `None` after a dry run, which changes none.
    pub(super) figures: Option<Vec<ChangedFigure>>,
}

/// A figure, before and after.
#[derive(Serialize)]
pub(super) struct ChangedFigure {
    figure: &'static str,
    before: Option<f64>,
    after: Option<f64>,
    #[serde(skip)]
    listed: Figure,
}

impl Summary {
    pub(super) fn begin((since, until, at): (Timestamp, Timestamp, Timestamp), dry_run: bool) -> Self {
        let (incidents, events, out_of_scope) = (0, 0, 0);
        let (added, changed, skipped) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self {
            since,
            until,
            from: at,
            up_to: at,
            dry_run,
            incidents,
            events,
            added,
            changed,
            skipped,
            deferred: BTreeSet::new(),
            out_of_scope,
            figures: None,
        }
    }

    pub(super) fn add(&mut self, step: BackfillStep) {
        self.up_to = step.at;
        self.incidents += step.incidents;
        self.events += step.events;
        self.out_of_scope += step.out_of_scope;
        self.added.extend(step.added);
        self.changed.extend(step.changed);
        self.skipped.extend(step.skipped);
        self.deferred.extend(step.deferred);
    }

    /// Notes the figures that differ between these rows.
    pub(super) fn compare(&mut self, before: Option<&Row>, after: Option<&Row>) {
        // No row means that nothing happened.
        let none = |figure: &Figure| matches!(figure.value, Value::Count(_)).then_some(0.0);
        let value =
            |figure: &Figure, row: Option<&Row>| row.map_or_else(|| none(figure), |row| figure.number(row));
        let differing = FIGURES.iter().filter_map(|figure| {
            let (before, after) = (value(figure, before), value(figure, after));
            // A difference of less than a second or a tenth of a percent is none.
            let is_shown = in_unit(figure, before) != in_unit(figure, after);
            is_shown.then_some(ChangedFigure { figure: figure.name, before, after, listed: *figure })
        });
        self.figures = Some(differing.collect());
    }

    pub(super) fn print(&self) {
        if let Some(table) = changed_fields::of_failures(self.changed.iter().take(LISTED)) {
            print_out(table);
        }
        if let Some(more) = self.changed.len().checked_sub(LISTED).filter(|more| *more > 0) {
            print_out(format_args!("… and {more} more: --format json has all.\n"));
        }
        for (incident, reason) in self.skipped.iter().take(LISTED) {
            print_out(format_args!("skipped: {}: {reason}", incident.as_str()));
        }
        if let Some(more) = self.skipped.len().checked_sub(LISTED).filter(|more| *more > 0) {
            print_out(format_args!("… and {more} more that were skipped: --format json has all.\n"));
        }
        print_out(self.sentences());
        match self.figures.as_deref() {
            None => {}
            Some([]) => print_out("No figure of this period has changed."),
            Some(figures) => print_out(format_args!("\n{}", table(figures).trim_end())),
        }
    }

    fn sentences(&self) -> String {
        let Self { incidents, events, added, changed, skipped, out_of_scope, dry_run, .. } = self;
        let mut states = BTreeMap::<&str, usize>::new();
        for added in added {
            *states.entry(added.state.as_str()).or_default() += 1;
        }
        let states: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let states = if states.is_empty() { String::new() } else { format!(" ({})", states.join(", ")) };
        let verb = if *dry_run { "would be " } else { "" };
        let mut lines = vec![
            format!(
                "{incidents} incidents were read, created from {} to {}.",
                self.from.minute(),
                self.up_to.minute()
            ),
            format!(
                "{} failures {verb}added{states}, {} {verb}changed: {events} new events.",
                added.len(),
                changed.len()
            ),
        ];
        if *out_of_scope > 0 {
            lines.push(format!(
                "{out_of_scope} incidents were skipped: the webhook subscription does not cover them."
            ));
        }
        if !self.deferred.is_empty() {
            lines.push(format!(
                "{} incidents have just changed, and are left to their webhooks.",
                self.deferred.len()
            ));
        }
        if !skipped.is_empty() {
            lines.push(format!("{} incidents were skipped.", skipped.len()));
        }
        lines.join("\n")
    }
}

fn table(figures: &[ChangedFigure]) -> String {
    const COLUMNS: [Column; 3] = [Column::text("FIGURE"), Column::number("BEFORE"), Column::number("AFTER")];
    let row = |changed: &ChangedFigure| {
        let [before, after] = [changed.before, changed.after].map(|value| in_unit(&changed.listed, value));
        vec![changed.figure.to_owned(), before, after]
    };
    render(&COLUMNS, &figures.iter().map(row).collect::<Vec<_>>(), width())
}
