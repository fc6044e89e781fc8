//! Texts as backends take them: clean, and no longer than a backend can hold.

use std::fmt::Write;

use reqwest::Url;
use sha2::{Digest, Sha256};
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::name::is_blank;

/// Texts for people are cut here where a backend holds more.
pub(super) const LONGEST_CHARS: usize = 1_000;
/// Digits of a hash at the end of an id that is cut.
const HASH_BYTES: usize = 8;

/// A text for people: cut at [`LONGEST_CHARS`].
pub(super) fn shown(text: &str) -> String {
    within(text, LONGEST_CHARS)
}

/// A title that has something to show.
pub(super) fn title(title: Option<&String>) -> Option<&str> {
    title.map(String::as_str).filter(|title| !is_blank(title))
}

/// A text without control characters, of `most` characters at most. Cut between the characters that people see; one
/// that is too long alone, as a letter with a thousand accents, is cut itself.
pub(super) fn within(text: &str, most: usize) -> String {
    let clean = cleaned(text);
    if clean.chars().count() <= most {
        return clean;
    }
    let clean = clean.trim_start();
    let mut end = 0;
    let mut taken = 0;
    for grapheme in clean.graphemes(true) {
        taken += grapheme.chars().count();
        if taken > most {
            break;
        }
        end += grapheme.len();
    }
    if end == 0 { clean.chars().take(most).collect() } else { clean[..end].to_owned() }
}

/// A text that something goes by, of `most` characters at most: two that differ still differ where they are cut,
/// because a hash of the whole takes the place of the rest.
pub(super) fn unique_within(text: &str, most: usize) -> String {
    let clean = cleaned(text);
    if clean.chars().count() <= most {
        return clean;
    }
    let mut cut = within(&clean, most.saturating_sub(2 * HASH_BYTES + 1));
    cut.push('~');
    for byte in &Sha256::digest(text)[..HASH_BYTES] {
        let _ = write!(cut, "{byte:02x}");
    }
    cut
}

/// No backend takes control characters everywhere: `PostgreSQL` refuses NUL, headers refuse all of them.
fn cleaned(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A page's address, where it is one that a browser may be sent to.
pub(super) fn page(url: Option<&String>) -> Option<Url> {
    let page = Url::parse(url?).ok()?;
    matches!(page.scheme(), "http" | "https").then_some(page)
}

/// A page's address in the letters of RFC 3986: browsers let some more pass.
pub(super) fn uri(page: &Url) -> String {
    const NOT_IN_URIS: &str = "\"#<>[\\]^`{|}";
    let mut uri = page.origin().ascii_serialization();
    for (mark, part) in [("", Some(page.path())), ("?", page.query()), ("#", page.fragment())] {
        let Some(part) = part else { continue };
        uri.push_str(mark);
        for letter in part.chars() {
            if NOT_IN_URIS.contains(letter) {
                let _ = write!(uri, "%{:02X}", u32::from(letter));
            } else {
                uri.push(letter);
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_texts_are_cut_and_cleaned() {
        let text = shown(&"\u{202e}<script>\0\n".repeat(500));
        assert_eq!(text.chars().count(), LONGEST_CHARS);
        assert!(!text.chars().any(char::is_control));
    }

    #[test]
    fn a_text_is_cut_between_the_characters_that_people_see() {
        assert_eq!(within("down 👩‍🚒 now", 7), "down ", "not in the middle of an emoji");
        assert_eq!(within("cafe\u{301} au lait", 4), "caf", "nor between a letter and its accent");
        assert_eq!(within("ä", 0), "");
        assert_eq!(within(&format!("e{}", "\u{301}".repeat(50)), 10).chars().count(), 10);
        assert_eq!(within(&format!("{}name", " ".repeat(50)), 10), "name", "blanks are the first to go");
    }

    #[test]
    fn ids_that_are_cut_still_differ() {
        let [one, other] = ["1", "2"].map(|end| unique_within(&format!("{}{end}", "x".repeat(300)), 255));
        assert_ne!(one, other);
        assert_eq!([one.len(), other.len()], [255, 255]);
        assert_eq!(unique_within("short", 255), "short");
    }

    proptest! {
        #[test]
        fn no_text_is_longer_than_it_may_be(text in "(.|[\u{300}-\u{36f}\u{0}\u{200d}😀]){0,60}", most in 18_usize..40) {
            for cut in [within(&text, most), unique_within(&text, most)] {
                prop_assert!(cut.chars().count() <= most && !cut.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn only_what_a_browser_may_open_is_a_page() {
        let page = |url: &str| page(Some(&url.to_owned())).map(String::from);
        assert_eq!(
            page("https://acme.pagerduty.com/a b\u{7f}").unwrap(),
            "https://acme.pagerduty.com/a%20b%7F"
        );
        let page = super::page(Some(&"https://me:pw@x.example/[a]|b?q={c}#d#e".to_owned())).unwrap();
        assert_eq!(uri(&page), "https://x.example/%5Ba%5D%7Cb?q=%7Bc%7D#d%23e");
    }

    #[test]
    fn what_a_browser_may_not_open_is_none() {
        let page = |url: &str| page(Some(&url.to_owned())).map(String::from);
        for url in ["javascript:alert(1)", "not a url", ""] {
            assert_eq!(page(url), None, "{url}");
        }
    }
}
