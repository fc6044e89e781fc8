//! The change of a row against the period before, for tables and CSV.

use crate::domain::figures::list::{ChangeOf, FIGURES, Figure, Value};
use crate::domain::figures::{FigureChange, Report, Row};
use crate::domain::statistics::Verdict;

/// A figure that is compared with the period before.
pub(super) struct Compared {
    /// The figure.
    pub(super) figure: &'static Figure,
    /// Name in JSON and CSV.
    pub(super) name: &'static str,
    of: ChangeOf,
}

/// The figures that are compared. None if the report was not asked to compare.
pub(super) fn compared(report: &Report) -> Vec<Compared> {
    let compared = FIGURES.iter().filter_map(|figure| {
        let (name, of) = figure.compared?;
        Some(Compared { figure, name, of })
    });
    compared.filter(|_| report.total.change.is_some()).collect()
}

/// Meaning of the cells.
pub(super) const IN_WORDS: &str = "Difference from the period of equal length before, with its 95 % interval: shares in \
     percentage points, CFR per deployment. ↑ or ↓ marks a change that the data show; \
     IN 1H has one only from six failures in each period on.";

impl Compared {
    /// The change of a row. `None` without a value in one of the periods.
    pub(super) fn change(&self, row: &Row) -> Option<FigureChange> {
        (self.of)(row.change.as_ref()?)
    }

    /// The difference with its interval, and an arrow if the data show a change.
    pub(super) fn text(&self, row: &Row) -> String {
        let Some(FigureChange { difference, low, high, verdict, .. }) = self.change(row) else {
            return "-".to_owned();
        };
        let arrow = match verdict {
            Verdict::Higher => " ↑",
            Verdict::Lower => " ↓",
            Verdict::NoChangeShown => "",
        };
        if matches!(self.figure.value, Value::Ratio(_)) {
            let [difference, low, high] = [difference, low, high].map(|share| share * 100.0);
            format!("{difference:+.1} ({low:+.0} to {high:+.0}){arrow}")
        } else {
            format!("{difference:+.2} ({low:+.2} to {high:+.2}){arrow}")
        }
    }
}
