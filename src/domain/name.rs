//! Names in input: blanks around a name are removed, and a blank text is no name.

/// Removes the blanks around a name. `None` if the text has no visible character.
///
/// Applies to all names: of services, teams, envs, versions and priorities, and to titles.
pub fn name(text: &str) -> Option<&str> {
    let name = text.trim_matches(surrounds);
    (!is_blank(name)).then_some(name)
}

/// Like [`name`], for comparisons: empty if there is no name.
pub fn trimmed(text: &str) -> &str {
    name(text).unwrap_or_default()
}

/// `true` if a text has no visible character.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// Like [`name`], for a text that may be missing.
pub fn named(text: Option<String>) -> Option<String> {
    let text = text?;
    let name = name(&text)?;
    if name.len() == text.len() { Some(text) } else { Some(name.to_owned()) }
}

/// `true` for characters that are removed around a name. Joiners stay: words of some scripts end with one.
fn surrounds(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}')
}

/// `true` for characters that are invisible on their own (Unicode: `Default_Ignorable_Code_Point`, and the letters and
/// symbols that are blank).
pub(super) fn is_invisible(c: char) -> bool {
    surrounds(c)
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_blank_text_is_no_name() {
        for blank in [
            "",
            " ",
            "\t\r\n",
            "\0\u{7f}\u{85}",
            "\u{a0}",
            "\u{3000}\u{2003}",
            "\u{200b}",
            "\u{200c}\u{200d}",
            "\u{feff}",
            "\u{2060}\u{ad}",
            "\u{202e}\u{2066}",
            "\u{2800}",
            "\u{3164}",
            "\u{fe0f}",
            "\u{1bca0}\u{1d173}",
            "\u{e0041}\u{e0100}",
        ] {
            assert!(is_blank(blank), "{blank:?}");
            assert_eq!(name(blank), None, "{blank:?}");
            assert_eq!(named(Some(blank.to_owned())), None, "{blank:?}");
        }
    }

    #[test]
    fn blanks_around_a_name_are_removed() {
        for text in [" Checkout API\n", "\u{feff}Checkout API\u{a0}", "\u{200b}\tChe\u{200b}ckout API"] {
            let expected = text.trim_matches(|c| "\u{feff}\u{200b}\u{a0} \t\n".contains(c));
            assert_eq!(name(text), Some(expected));
            assert_eq!(named(Some(text.to_owned())).as_deref(), Some(expected));
        }
        assert_eq!(name("0"), Some("0"));
        assert_eq!(name("\u{1f469}\u{200d}\u{1f4bb}"), Some("\u{1f469}\u{200d}\u{1f4bb}"));
        assert_eq!(name("-"), Some("-"));
    }

    #[test]
    fn a_visible_text_is_not_blank() {
        for text in [".", "0", "\u{fffd}", " a ", "\u{1f469}\u{200d}\u{1f692}"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_missing_exactly_if_the_text_is_blank(text in "[\u{0}-\u{20}\u{a0}\u{200b}-\u{200f}\u{e0000}-\u{e0fff}a.]{0,6}") {
            prop_assert_eq!(name(&text).is_none(), is_blank(&text));
            prop_assert!(is_blank(&text) || trimmed(&text).chars().any(|c| !is_invisible(c)));
        }
    }
}
