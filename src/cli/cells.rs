//! Measures, cuts and wraps text for the columns of a terminal.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Mark of a cut.
const CUT: &str = "…";

/// Maximum number of terminal columns that a text takes. Wide characters take two, combining characters none.
///
/// Some terminals draw joined emoji and flags as one character, others draw each part. The wider form is counted, so
/// that no line is wider than the terminal.
pub(super) fn display_width(text: &str) -> usize {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.len();
    }
    text.graphemes(true).map(width_of_one).sum()
}

fn width_of_one(grapheme: &str) -> usize {
    let in_parts: usize = grapheme.chars().map(|c| c.width().unwrap_or(0)).sum();
    in_parts.max(grapheme.width())
}

/// Text in at most `width` columns. A wider text is cut at the end.
pub(super) fn cut(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    first(text, width - 1).to_owned() + CUT
}

/// Id in at most `width` columns. A wider id is cut in the middle, because ids differ at both ends.
pub(super) fn cut_in_the_middle(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let beginning = first(text, width / 2);
    let left = width - 1 - display_width(beginning);
    let mut end = text.len();
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used += width_of_one(grapheme);
        if used > left {
            break;
        }
        end = at;
    }
    [beginning, CUT, &text[end..]].concat()
}

/// Longest beginning that fits the width.
fn first(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += width_of_one(grapheme);
        if used > width {
            return &text[..at];
        }
    }
    text
}

/// Text filled with blanks to `width` columns. With `is_right` the text is aligned to the right.
pub(super) fn padded(text: &str, width: usize, is_right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(display_width(text)));
    if is_right { blanks + text } else { text.to_owned() + &blanks }
}

/// Text in lines of at most `width` columns. A line is broken at a space. Without a space it is broken after a
/// punctuation mark, and without one between any two characters.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let all: Vec<(&str, usize)> =
        text.graphemes(true).map(|grapheme| (grapheme, width_of_one(grapheme))).collect();
    let mut rest = all.as_slice();
    let mut lines = Vec::new();
    while let Some(fit) = count_that_fits(rest, width) {
        let space = rest[..=fit].iter().rposition(|(one, _)| *one == " ").filter(|at| *at > 0);
        let within =
            || rest[..fit].iter().rposition(|(one, _)| matches!(*one, "." | "_" | "-" | ":" | "/" | ","));
        let (end, next) = match space {
            Some(at) => (at, at + 1),
            None => within().map_or((fit, fit), |at| (at + 1, at + 1)),
        };
        lines.push(rest[..end].iter().map(|(one, _)| *one).collect());
        rest = &rest[next..];
    }
    lines.push(rest.iter().map(|(one, _)| *one).collect());
    lines
}

/// Number of entries that fit in a line, at least one. `None` if all fit.
fn count_that_fits(rest: &[(&str, usize)], width: usize) -> Option<usize> {
    let mut used = 0;
    let too_much = rest.iter().position(|(_, columns)| {
        used += columns;
        used > width
    })?;
    Some(too_much.max(1)).filter(|fit| *fit < rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text of characters of each width: narrow, wide, combining, joined, flags.
    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![
                "[a-z .:-]{1,4}",
                Just("決済".to_owned()),
                Just("👩‍🚒".to_owned()),
                Just("🇩🇪".to_owned()),
                Just("❤️".to_owned()),
                Just("e\u{301}".to_owned()),
                Just("می‌کند".to_owned()),
                Just("한글".to_owned()),
                ".",
            ],
            0..12,
        )
        .prop_map(|pieces| crate::domain::printable::printable(&pieces.concat()))
    }

    #[test]
    fn wide_characters_take_two_columns_and_combining_ones_none() {
        for (text, expected) in [
            ("plain", 5),
            ("決済", 4),
            ("결제", 4),
            ("ｱｲ", 2),
            ("e\u{301}", 1),
            ("می‌کند", 5),
            ("🔥", 2),
            ("⚠️", 2),
            ("👩‍🚒", 4),
            ("🇩🇪", 2),
        ] {
            assert_eq!(display_width(text), expected, "{text}");
        }
    }

    #[test]
    fn a_character_is_never_cut() {
        assert_eq!(cut("決済サービス", 8), "決済サ…");
        assert_eq!(cut("決済サービス", 7), "決済サ…");
        assert_eq!(cut("up 👩‍🚒 down", 6), "up …");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut_in_the_middle("01234567-89ab-cdef-0123", 9), "0123…0123");
        assert_eq!(cut_in_the_middle("決済サービス", 6), "決…ス");
    }

    #[test]
    fn wrapping_loses_no_text() {
        let text = "a bb  ccc dddd.eeeee_ffffff-ggggggg";
        for width in 0..40 {
            let lines = wrapped(text, width);
            assert!(lines.iter().all(|line| line.chars().count() <= width.max(1)), "{lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }

    proptest! {
        #[test]
        fn no_cell_is_wider_than_its_column(text in text(), width in 4_usize..30) {
            prop_assert!(display_width(&cut(&text, width)) <= width);
            prop_assert!(display_width(&cut_in_the_middle(&text, width)) <= width);
            let lines = wrapped(&text, width);
            prop_assert!(lines.iter().all(|line| display_width(line) <= width), "{lines:?}");
            prop_assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
            let beside = [padded(&cut(&text, width), width, false), padded("x", width, true)];
            prop_assert!(beside.iter().all(|cell| display_width(cell) == width));
        }
    }
}
