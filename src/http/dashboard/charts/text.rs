//! Texts in a picture, where nothing wraps: their width, and names cut to fit.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::scale::real_len;
use crate::http::dashboard::parts::format::{count, safe_text};

/// Width of a digit or of a usual letter at the size of the labels, in units of the drawing. Rather too much.
const LETTER: f64 = 7.0;

/// Estimated width of a label.
pub(super) fn width(text: &str) -> f64 {
    real_len(text.width()) * LETTER
}

/// A name from outside, printable, and cut so that it takes no more columns than `longest`.
pub(super) fn cut(name: &str, longest: usize) -> String {
    let name = safe_text(name);
    if name.width() <= longest {
        return name;
    }
    let mut kept = String::new();
    let mut columns = 0;
    for cluster in name.graphemes(true) {
        columns += cluster.width();
        if columns >= longest {
            break;
        }
        kept.push_str(cluster);
    }
    format!("{}…", kept.trim_end())
}

/// `1 week`, `2 weeks`.
pub(super) fn count_of(number: usize, every: &str) -> String {
    count(u32::try_from(number).unwrap_or(u32::MAX), every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_by_the_columns_that_they_take() {
        assert_eq!(cut("checkout", 8), "checkout");
        assert_eq!(cut("checkout-api", 8), "checkou…");
        assert_eq!(cut("決済サービス基盤", 8), "決済サ…");
        assert_eq!(cut("a b c", 3), "a…");
        assert_eq!(cut("👩‍🚒👩‍🚒👩‍🚒", 4), "👩‍🚒…");
        assert_eq!(cut("a\nb", 8), "a·b");
    }
}
