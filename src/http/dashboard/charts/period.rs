//! A period of a chart.

use super::text::cut;
use crate::http::dashboard::parts::format::count;

/// Longest label of a period below the picture, in columns.
const LONGEST_LABEL: usize = 16;

/// A period, with all that charts say of it beside its numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http::dashboard) struct ChartPeriod {
    /// Short name for the axis: `2 Nov`.
    pub(in crate::http::dashboard) label: String,
    /// Name for texts and tables: `2026-11-02`.
    pub(in crate::http::dashboard) name: String,
    /// Address of the list behind the numbers.
    pub(in crate::http::dashboard) href: String,
    /// `true` if the period is not over.
    pub(in crate::http::dashboard) is_partial: bool,
    /// Deployments of the period that have not failed, and may still fail.
    pub(in crate::http::dashboard) pending: u64,
}

impl ChartPeriod {
    /// `true` if the numbers of the period may still change.
    pub(super) const fn is_unfinished(&self) -> bool {
        self.is_partial || self.pending > 0
    }

    /// Reason why the numbers may still change: `so far, 3 deployments pending`. Empty if they are final.
    pub(super) fn note(&self) -> String {
        let pending = (self.pending > 0).then(|| format!("{} pending", count(self.pending, "deployment")));
        let parts = self.is_partial.then(|| "so far".to_owned()).into_iter().chain(pending);
        parts.collect::<Vec<_>>().join(", ")
    }

    /// A text about the period, with the reason why it may still change.
    pub(super) fn about(&self, text: &str) -> String {
        let note = self.note();
        let note = if note.is_empty() { note } else { format!(" ({note})") };
        format!("{}: {text}{note}", self.name)
    }

    /// Label for the axis.
    pub(super) fn short(&self) -> String {
        cut(&self.label, LONGEST_LABEL)
    }
}

/// `from 2026-09-07 to 2026-11-23`, for sentences.
pub(super) fn span<'a>(mut periods: impl DoubleEndedIterator<Item = &'a ChartPeriod>) -> String {
    match (periods.next(), periods.next_back()) {
        (Some(first), Some(last)) => format!("from {} to {}", first.name, last.name),
        (Some(only), None) => format!("{} only", only.name),
        _ => "no period".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::week;
    use super::*;

    #[test]
    fn a_span_names_the_first_and_the_last_period() {
        let weeks = [week(0, 3), week(1, 3), week(2, 3)];
        let spans = [0, 1, 3].map(|count| span(weeks.iter().take(count)));
        assert_eq!(spans, ["no period", "2026-09-01 only", "from 2026-09-01 to 2026-09-15"]);
    }

    #[test]
    fn texts_say_why_a_number_may_change() {
        let period = ChartPeriod { name: "2026-11-02".to_owned(), ..ChartPeriod::default() };
        assert_eq!(period.about("4 failed"), "2026-11-02: 4 failed");
        let period = ChartPeriod { pending: 1, ..period };
        assert_eq!(period.about("4 failed"), "2026-11-02: 4 failed (1 deployment pending)");
        let period = ChartPeriod { is_partial: true, pending: 2, ..period };
        assert_eq!(period.about("4 failed"), "2026-11-02: 4 failed (so far, 2 deployments pending)");
    }
}
