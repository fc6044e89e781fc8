//! Formatting of values on the pages.

use std::fmt::Display;

use maud::{Markup, html};

use crate::domain::failure::FailureState;
use crate::domain::figures::list::Bounds;
use crate::domain::human_duration::human_duration;
use crate::domain::name::is_blank;
use crate::domain::printable::printable;
use crate::domain::timestamp::Timestamp;

/// Largest number of characters of an external text in a table or a sentence.
const LONGEST: usize = 160;
/// Largest number of characters of a sentence.
const LONGEST_SENTENCE: usize = 1_000;
/// Largest number of characters of an id in a table. A longer one is cut in the middle.
const LONGEST_ID: usize = 18;
/// Sign for missing data, which is not zero.
pub(in crate::http::dashboard) const NO_DATA: &str = "–";

/// An external text, printable and cut to [`LONGEST`].
pub(in crate::http::dashboard) fn safe_text(text: &str) -> String {
    cut(printable(text), LONGEST)
}

/// The same for a text that may be missing.
pub(in crate::http::dashboard) fn text_or_dash(text: Option<&String>) -> String {
    text.map_or_else(|| NO_DATA.to_owned(), |text| safe_text(text))
}

/// A sentence, which may have external texts in it, printable and cut to [`LONGEST_SENTENCE`].
pub(in crate::http::dashboard) fn sentence(text: &str) -> String {
    cut(printable(text), LONGEST_SENTENCE)
}

fn cut(printable: String, longest: usize) -> String {
    match printable.char_indices().nth(longest) {
        Some((cut, _)) => format!("{}…", &printable[..cut]),
        None => printable,
    }
}

/// An id, cut in the middle if it is longer than [`LONGEST_ID`].
pub(in crate::http::dashboard) fn cut_in_the_middle(id: &str) -> String {
    let printable: Vec<char> = printable(id).chars().collect();
    if printable.len() <= LONGEST_ID {
        return printable.into_iter().collect();
    }
    let (beginning, end) = (LONGEST_ID / 2, printable.len() - (LONGEST_ID - 1) / 2);
    printable[..beginning].iter().chain(&['…']).chain(&printable[end..]).collect()
}

/// Name of a failure on the pages: its title, else its id.
pub(in crate::http::dashboard) fn name(title: Option<&str>, id: &str) -> String {
    safe_text(title.filter(|title| !is_blank(title)).unwrap_or(id))
}

/// Names with commas between them.
pub(in crate::http::dashboard) fn names(names: &[String]) -> String {
    if names.is_empty() { NO_DATA.to_owned() } else { safe_text(&names.join(", ")) }
}

/// A failure's state, as a label.
pub(in crate::http::dashboard) fn state(state: FailureState) -> Markup {
    html! { span.state.(state.as_str()) { (state.as_str()) } }
}

pub(in crate::http::dashboard) fn duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| NO_DATA.to_owned(), human_duration)
}

/// A share in percent: `17 %`, `7.0 %`. The same on tiles, in charts and in tables.
pub(in crate::http::dashboard) fn percent(share: f64) -> String {
    format!("{} %", percent_number(share))
}

/// The bounds of a share in percent, without a sign: `7.0 to 37`.
pub(in crate::http::dashboard) fn percent_range((low, high): Bounds) -> String {
    format!("{} to {}", percent_number(low), percent_number(high))
}

/// A share in percent without a sign. Below 10 it has a place after the point, so that small rates can be compared.
fn percent_number(share: f64) -> String {
    match share * 100.0 {
        percent if percent <= 0.0 => "0".to_owned(),
        percent if percent < 0.05 => "<0.1".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1}"),
        percent => format!("{percent:.0}"),
    }
}

/// `1 incident`, `2 incidents`.
pub(in crate::http::dashboard) fn count<N: Copy + Display + PartialEq + From<u8>>(
    n: N,
    what: &str,
) -> String {
    let plural = if n == N::from(1) { "" } else { "s" };
    format!("{n} {what}{plural}")
}

/// `812 B`, `4.2 MiB`.
#[expect(clippy::cast_precision_loss, reason = "one place after the point is shown")]
pub(in crate::http::dashboard) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut shown = format!("{bytes} B");
    let mut size = bytes as f64;
    for unit in UNITS {
        size /= 1024.0;
        if size < 1.0 {
            break;
        }
        shown = format!("{size:.1} {unit}");
    }
    shown
}

/// The URL from a webhook if it is a web page. No other URL becomes a link.
pub(in crate::http::dashboard) fn web_page(url: Option<&str>) -> Option<&str> {
    url.filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

/// Time since `at`.
pub(in crate::http::dashboard) fn ago(now: Timestamp, at: Timestamp) -> String {
    human_duration(now.duration_since(at).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_text_is_printable_and_short() {
        assert_eq!(safe_text("a\0b\u{202e}c\n"), "a·b·c·");
        assert_eq!(safe_text(&"ä".repeat(160)), "ä".repeat(160));
        assert_eq!(safe_text(&"ä".repeat(10_000)), format!("{}…", "ä".repeat(160)));
    }

    #[test]
    fn ids_are_cut_in_the_middle() {
        assert_eq!(cut_in_the_middle("release-2026-11-02"), "release-2026-11-02");
        assert_eq!(cut_in_the_middle("release-checkout-2026-11-02"), "release-c…26-11-02");
        assert_eq!(cut_in_the_middle(&"ä".repeat(40)).chars().count(), 18);
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let sizes = [0, 1023, 1024, 4_404_019, 1 << 40, 1 << 60].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "4.2 MiB", "1.0 TiB", "1048576.0 TiB"]);
    }

    #[test]
    fn a_share_has_a_place_after_the_point_only_below_ten_percent() {
        let shares = [0.0, 0.0004, 0.0096, 0.0949, 0.0996, 0.174, 0.996, 1.0].map(percent);
        assert_eq!(shares, ["0 %", "<0.1 %", "1.0 %", "9.5 %", "10 %", "17 %", "100 %", "100 %"]);
        assert_eq!(percent_range((0.07, 0.371)), "7.0 to 37");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|n| count(n, "incident")), ["0 incidents", "1 incident", "2 incidents"]);
    }
}
