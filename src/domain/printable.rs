//! Text from elsewhere, as it may be shown.

/// A title may hold anything; neither a terminal nor a page must be steered by it. What is shown as a dot: controls, what
/// begins a line, and what nobody sees (Unicode: General Category Cf, but for the tags of flags).
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
    };
    text.chars().map(|c| if steers(c) { '·' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_shown_as_a_dot() {
        assert_eq!(printable("caf\u{e9} \u{1f525} 5 %"), "caf\u{e9} \u{1f525} 5 %");
        for c in ['\0', '\n', '\u{1b}', '\u{61c}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2060}', '\u{feff}']
        {
            assert_eq!(printable(&format!("a{c}b")), "a·b", "{c:?}");
        }
    }
}
