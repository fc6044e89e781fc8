//! Text from other systems, made safe to show.

use std::borrow::Cow;
use std::fmt::Write;

/// Makes a text safe to show. A title may contain anything, and must not control a terminal or a page.
///
/// Control characters, line separators, and format characters that hide or reorder text are shown as a dot.
/// Characters that scripts and emoji need stay: combining marks, variation selectors, joiners (U+200C, U+200D), the
/// invisible word breaks of scripts without spaces, and the tags of flags.
pub fn printable(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut before = None;
    let mut is_in_flag = false;
    text.chars()
        .map(|c| {
            is_in_flag = c == BLACK_FLAG || (is_in_flag && is_tag(c));
            let stays = if is_tag(c) { is_in_flag } else { !is_unsafe(c) || belongs_after(before, c) };
            before = Some(c);
            if stays { c } else { '·' }
        })
        .collect()
}

/// Makes JSON safe to show on a terminal. Characters that would control the terminal are written as `\u` and four
/// digits, which means the same in JSON. They occur within strings only.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    // Line breaks between values stay. ASCII control characters within strings are escaped already.
    let needs_escape = |c: char| c >= '\u{7f}' && (is_unsafe(c) || is_tag(c));
    // A report may have megabytes, and nearly always has nothing to escape.
    if json.bytes().all(|byte| byte < 0x7f) || !json.contains(needs_escape) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if needs_escape(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// First character of the flags of regions, such as Scotland's. Tags follow it.
const BLACK_FLAG: char = '\u{1f3f4}';

/// `true` for the invisible characters that name the region of a flag.
fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// `true` for control characters (C0, C1), line and paragraph separators, and the format characters (General Category
/// Cf) that hide or reorder text.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}')
}

/// `true` for format characters that belong to a script, after a character of it: the zero width space between the
/// words of Thai, Lao, Tibetan, Burmese and Khmer, and the vowel separator of Mongolian.
fn belongs_after(before: Option<char>, c: char) -> bool {
    match c {
        '\u{200b}' => matches!(before, Some('\u{e00}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')),
        '\u{180e}' => matches!(before, Some('\u{1800}'..='\u{18af}')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn unsafe_characters_are_shown_as_a_dot() {
        assert_eq!(printable("caf\u{e9} \u{1f525} 5 %"), "caf\u{e9} \u{1f525} 5 %");
        for c in [
            '\0',
            '\n',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert_eq!(printable(&format!("a{c}b")), "a·b", "{c:?}");
        }
    }

    #[test]
    fn characters_that_scripts_and_emoji_need_stay() {
        for text in [
            "پرداخت‌ها کار نمی‌کند",
            "👩‍🚒 ❤️ 👍🏽 🇩🇪 1️⃣",
            "क्‍ष",
            "e\u{301}",
            "葛\u{e0100}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} up",
            "ភាសា\u{200b}ខ្មែរ",
            "ᠠ\u{180e}ᠠ",
            "שָׁלוֹם",
        ] {
            assert_eq!(printable(text), text);
        }
    }

    proptest! {
        #[test]
        fn escaped_json_has_the_same_value(text in ".*", key in "[\u{1}-\u{2fff}]{0,8}", tag in "[\u{e0000}-\u{e007f}]{0,3}") {
            let value = serde_json::json!({ key: [text, tag, "\u{9b}\u{7f}\u{202e}\u{200d}"] });
            let json = serde_json::to_string_pretty(&value).unwrap();
            let escaped = escaped_json(&json);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
            prop_assert!(!escaped.chars().any(|c| c != '\n' && (is_unsafe(c) || is_tag(c))), "{}", escaped);
        }
    }
}
