//! The change of a row against the period before, for tables and CSV.

use crate::domain::figures::{FigureChange, Report, Row, RowChange};
use crate::domain::statistics::Verdict;

/// A figure that is compared with the period before.
pub(super) struct Compared {
    /// Name in JSON and CSV.
    pub(super) name: &'static str,
    /// Heading in tables.
    pub(super) title: &'static str,
    /// Rank of its column if the terminal is too narrow for all. `None` if it is always shown.
    pub(super) worth: Option<u8>,
    /// `true` for shares, whose difference is shown in percentage points.
    is_share: bool,
    of: fn(&RowChange) -> Option<FigureChange>,
}

/// All of them.
pub(super) const COMPARED: [Compared; 4] = [
    Compared {
        name: "change_failure_rate",
        title: "CFR",
        worth: Some(2),
        is_share: false,
        of: |change| change.change_failure_rate,
    },
    Compared {
        name: "change_fail_rate",
        title: "FAIL RATE",
        worth: None,
        is_share: true,
        of: |change| change.change_fail_rate,
    },
    Compared {
        name: "deployment_rework_rate",
        title: "REWORK",
        worth: Some(1),
        is_share: true,
        of: |change| change.deployment_rework_rate,
    },
    Compared { name: "restored", title: "IN 1H", worth: None, is_share: true, of: |change| change.restored },
];

/// Meaning of the cells.
pub(super) const IN_WORDS: &str = "The difference to the period of equal length before and its 95 % interval: shares in \
     percentage points, CFR per deployment. ↑ and ↓ where the data show a change; elsewhere they agree with no change.";

/// `true` if the report was asked to compare.
pub(super) const fn is_compared(report: &Report) -> bool {
    report.total.change.is_some()
}

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
        if self.is_share {
            let [difference, low, high] = [difference, low, high].map(|share| share * 100.0);
            format!("{difference:+.1} ({low:+.0} to {high:+.0}){arrow}")
        } else {
            format!("{difference:+.2} ({low:+.2} to {high:+.2}){arrow}")
        }
    }
}
