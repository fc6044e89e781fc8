//! Text from elsewhere, as it may be shown.

/// A title may hold anything; neither a terminal nor a page must be steered by it.
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '·' } else { c }).collect()
}
