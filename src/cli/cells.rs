//! Texts in the columns of a terminal: how wide they are, and how they are cut and wrapped.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands where something was cut.
const CUT: &str = "…";

/// Columns of a terminal that a text takes at the most: wide characters take two, combining ones none.
///
/// Terminals do not agree on joined emoji and flags: some draw one sign, others each part of it. The wider one counts, so
/// that no line is wider than the terminal.
pub(super) fn display_width(text: &str) -> usize {
    text.graphemes(true).map(width_of_one).sum()
}

fn width_of_one(grapheme: &str) -> usize {
    let in_parts: usize = grapheme.chars().map(|c| c.width().unwrap_or(0)).sum();
    in_parts.max(grapheme.width())
}

/// The text in `width` columns: its beginning, where it is wider.
pub(super) fn cut(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    first(text, width - 1).to_owned() + CUT
}

/// An id in `width` columns: its beginning and its end, where it is wider, for ids differ at both.
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

/// The text and blanks, `width` columns in all; the blanks come first where it stands at the right edge.
pub(super) fn padded(text: &str, width: usize, is_right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(display_width(text)));
    if is_right { blanks + text } else { text.to_owned() + &blanks }
}

/// The text in lines of `width` at most, parted at spaces, else within names, else anywhere but within a character.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let all: Vec<(&str, usize)> =
        text.graphemes(true).map(|grapheme| (grapheme, width_of_one(grapheme))).collect();
    let mut rest = all.as_slice();
    let mut lines = Vec::new();
    while let Some(fit) = more_than_fits(rest, width) {
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

/// Number of entries that fit in a line, if not all do. At least one.
fn more_than_fits(rest: &[(&str, usize)], width: usize) -> Option<usize> {
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

    /// Letters of each width: narrow, wide, combining, joined, flags.
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
    fn nothing_is_cut_within_a_character() {
        assert_eq!(cut("決済サービス", 8), "決済サ…");
        assert_eq!(cut("決済サービス", 7), "決済サ…");
        assert_eq!(cut("up 👩‍🚒 down", 6), "up …");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut_in_the_middle("01234567-89ab-cdef-0123", 9), "0123…0123");
        assert_eq!(cut_in_the_middle("決済サービス", 6), "決…ス");
    }

    #[test]
    fn nothing_is_lost_where_text_is_wrapped() {
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
