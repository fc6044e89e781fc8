//! Words of a figure, its interval, and its change, on tiles and in tables.

use std::fmt::Display;

use crate::domain::figures::FigureChange;
use crate::domain::figures::list::Bounds;
use crate::domain::statistics::Verdict;
use crate::http::dashboard::parts::format::{NO_DATA, count, duration, percent, percent_range};

/// Fewest of a whole for which a rate and its interval are shown. With fewer, a percentage would look like knowledge.
pub(in crate::http::dashboard) const FEWEST_FOR_RATE: usize = 6;
/// Fewest failures of which it must be known whether they were restored within a time. With fewer, the share is greyed.
pub(in crate::http::dashboard) const FEWEST_KNOWN: usize = 5;

/// Interval of a figure on a tile: `95 %: 0.10 to 0.57`.
fn interval(low: impl Display, high: impl Display) -> String {
    format!("95 %: {low} to {high}")
}

/// Interval of a share on a tile: `95 %: 7.0 to 37`, in percent.
pub(in crate::http::dashboard) fn share_interval(bounds: Bounds) -> String {
    format!("95 %: {}", percent_range(bounds))
}

/// A share and its interval in a table: `17 % (7.0 to 37)`.
pub(in crate::http::dashboard) fn share_in_table(share: f64, bounds: Bounds) -> String {
    format!("{} ({})", percent(share), percent_range(bounds))
}

/// Part of a whole, large, and its share with the interval, for the line below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::dashboard) struct Share {
    /// `4 of 23 failed`, or `0 of 12: at most 24 %`.
    pub(in crate::http::dashboard) large: String,
    /// `17 %, 95 %: 7.0 to 37`.
    pub(in crate::http::dashboard) line: Option<String>,
}

/// Words for a part of a whole. With few, they are the fraction alone. `happened` is what happened to the part.
pub(in crate::http::dashboard) fn share(
    (part, whole): (usize, usize),
    happened: &str,
    share: Option<f64>,
    bounds: Option<Bounds>,
) -> Share {
    let known = share.zip(bounds).filter(|_| whole >= FEWEST_FOR_RATE);
    match (part, known) {
        _ if whole == 0 => Share { large: NO_DATA.to_owned(), line: Some("no deployment".to_owned()) },
        (0, Some((_, (_, high)))) => {
            Share { large: format!("0 of {whole}: at most {}", percent(high)), line: None }
        }
        (_, Some((share, bounds))) => Share {
            large: format!("{part} of {whole} {happened}"),
            line: Some(format!("{}, {}", percent(share), share_interval(bounds))),
        },
        (_, None) => Share { large: format!("{part} of {whole} {happened}"), line: None },
    }
}

/// Interval of a rate per deployment: `95 %: 0.10 to 0.57`, or `at most 0.31`.
pub(in crate::http::dashboard) fn per_deployment((low, high): Bounds) -> String {
    let [low_text, high_text] = [low, high].map(|bound| format!("{bound:.2}"));
    if low > 0.0 { interval(low_text, high_text) } else { format!("at most {high_text}") }
}

/// Interval of a median, or the reason why there is none.
pub(in crate::http::dashboard) fn median_interval(n: usize, bounds: Option<Bounds>) -> String {
    match bounds {
        Some((low, high)) => {
            format!("{}, n = {n}", interval(duration(Some(low)), duration(Some(high))))
        }
        None if n == 0 => "n = 0".to_owned(),
        None => format!("n = {n}: fewer than six, no 95 % interval"),
    }
}

/// Direction of a change that the data show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::dashboard) enum Direction {
    /// Higher than before.
    Up,
    /// Lower than before.
    Down,
    /// The data agree with no change.
    NotShown,
}

impl Direction {
    /// Direction of a change.
    pub(in crate::http::dashboard) const fn of(change: &FigureChange) -> Self {
        match change.verdict {
            Verdict::Higher => Self::Up,
            Verdict::Lower => Self::Down,
            Verdict::NoChangeShown => Self::NotShown,
        }
    }

    /// The change in words. `before` is the value of the period before.
    pub(in crate::http::dashboard) fn words(self, before: &str) -> String {
        match self {
            Self::Up => format!("higher than in the period before ({before})"),
            Self::Down => format!("lower than in the period before ({before})"),
            Self::NotShown => format!("no change shown ({before} in the period before)"),
        }
    }
}

/// Incidents that no rate has, in words. `None` if there are none.
pub(in crate::http::dashboard) fn unmatched(incidents: usize) -> Option<String> {
    let have = if incidents == 1 { "has" } else { "have" };
    (incidents > 0)
        .then(|| format!("{} {have} no deployment to count against", count(to_u64(incidents), "incident")))
}

/// Failures that are still open, for the end of a sample.
pub(in crate::http::dashboard) fn still_open(open: usize) -> String {
    if open == 0 { String::new() } else { format!(", {open} still open") }
}

/// A count for [`count`].
pub(in crate::http::dashboard) fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_the_words_of_its_size() {
        let of_all =
            |part, whole, value, low, high| share((part, whole), "failed", Some(value), Some((low, high)));
        let words = |large: &str, line: Option<&str>| Share {
            large: large.to_owned(),
            line: line.map(str::to_owned),
        };
        assert_eq!(of_all(4, 23, 0.174, 0.07, 0.371), words("4 of 23 failed", Some("17 %, 95 %: 7.0 to 37")));
        assert_eq!(of_all(0, 12, 0.0, 0.0, 0.2425), words("0 of 12: at most 24 %", None));
        assert_eq!(of_all(2, 5, 0.4, 0.1, 0.8), words("2 of 5 failed", None), "the fraction alone");
        assert_eq!(share((0, 0), "failed", None, None), words("–", Some("no deployment")));
    }

    #[test]
    fn a_share_has_the_same_notation_on_tiles_and_in_tables() {
        assert_eq!(share_interval((0.07, 0.371)), "95 %: 7.0 to 37");
        assert_eq!(share_in_table(0.174, (0.07, 0.371)), "17 % (7.0 to 37)");
    }

    #[test]
    fn a_rate_is_a_number_per_deployment() {
        assert_eq!(per_deployment((0.1, 0.57)), "95 %: 0.10 to 0.57");
        assert_eq!(per_deployment((0.0, 0.31)), "at most 0.31");
        assert_eq!(unmatched(0), None);
        assert_eq!(unmatched(1).as_deref(), Some("1 incident has no deployment to count against"));
        assert_eq!(unmatched(8).as_deref(), Some("8 incidents have no deployment to count against"));
    }

    #[test]
    fn a_median_of_few_has_no_interval() {
        assert_eq!(median_interval(9, Some((60.0, 120.0))), "95 %: 1m 00s to 2m 00s, n = 9");
        assert_eq!(median_interval(5, None), "n = 5: fewer than six, no 95 % interval");
        assert_eq!(median_interval(0, None), "n = 0");
    }
}
