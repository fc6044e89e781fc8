//! JSON that parsers reject because of half a character or a byte order mark.
//!
//! JSON can contain half of a surrogate pair (`\ud83d` without its second half). A Rust string cannot, and parsers
//! reject it. A sender that cuts a title to a length in UTF-16 sends such JSON. Its incident must still count.

/// U+FFFD in JSON. It has as many bytes as the half that it replaces.
const REPLACEMENT: &[u8; 6] = b"\\ufffd";

/// Replaces every half of a surrogate pair by U+FFFD. `None` if there is none.
pub fn replaced(json: &[u8]) -> Option<Vec<u8>> {
    let mut copy: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(escape) = json.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += escape;
        at += match unit(json, at) {
            // Skips the escaped character, because an escaped backslash begins no escape.
            None => 2,
            Some(0xd800..=0xdbff) if matches!(unit(json, at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                let copy = copy.get_or_insert_with(|| json.to_vec());
                if let Some(half) = copy.get_mut(at..at + REPLACEMENT.len()) {
                    half.copy_from_slice(REPLACEMENT);
                }
                6
            }
            Some(_) => 6,
        };
    }
    copy
}

/// Removes the byte order mark of UTF-8. Some programs write it before JSON, and parsers reject it.
pub fn without_byte_order_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json)
}

/// The code unit of the escape `\uXXXX` at this position.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at.checked_add(6)?)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0_u16, |unit, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(value).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(json: &str) -> String {
        serde_json::from_slice(&replaced(json.as_bytes()).unwrap_or_else(|| json.into())).unwrap()
    }

    #[test]
    fn half_a_character_is_replaced() {
        for (json, expected) in [
            (r#""down \ud83d""#, "down \u{fffd}"),
            (r#""\uDD25 down""#, "\u{fffd} down"),
            (r#""\ud83d\ud83d\udd25""#, "\u{fffd}\u{1f525}"),
            (r#""\udd25\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83dx\udd25""#, "\u{fffd}x\u{fffd}"),
            (r#""\ud83d\\udd25""#, "\u{fffd}\\udd25"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
        ] {
            assert_eq!(text(json), expected, "{json}");
        }
        for json in [
            r#""\ud83d\udd25""#,
            r#""\\ud83d""#,
            r#""\\\\ud83d""#,
            r#""\u00e9""#,
            r#""ud83d""#,
            "\"",
            "\\",
            "\\u",
            "\\ud83",
        ] {
            assert_eq!(replaced(json.as_bytes()), None, "{json}");
        }
    }

    proptest! {
        /// Any UTF-16 text comes out as the standard library reads it, halves replaced.
        #[test]
        fn any_utf_16_is_read(units in prop::collection::vec(prop_oneof![any::<u16>(), 0xd800..=0xdfff_u16], 0..12)) {
            let escaped: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let escaped = escaped.concat();
            prop_assert_eq!(text(&format!("\"{escaped}\"")), String::from_utf16_lossy(&units));
        }

        #[test]
        fn the_length_never_changes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(copy) = replaced(&bytes) {
                prop_assert_eq!(copy.len(), bytes.len());
                prop_assert_eq!(replaced(&copy), None);
            }
        }
    }
}
