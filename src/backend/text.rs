//! Texts as backends take them.

/// Longer texts are cut at a character boundary.
pub(super) const LONGEST_CHARS: usize = 1_000;

/// Without control characters, and cut where it is too long.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(LONGEST_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_are_cut_and_cleaned() {
        let text = shown(&"\u{202e}<script>\0\n".repeat(500));
        assert_eq!(text.chars().count(), LONGEST_CHARS);
        assert!(!text.chars().any(char::is_control));
    }
}
