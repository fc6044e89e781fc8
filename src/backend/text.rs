//! Texts as backends accept them: without control characters, and no longer than a backend can hold.

use std::fmt::Write as _;

use reqwest::Url;
use sha2::{Digest, Sha256};
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::name::is_blank;

/// Longest text for people, even where a backend could hold more.
pub(super) const LONGEST_CHARS: usize = 1_000;
/// Bytes of the hash at the end of an id that is cut.
const HASH_BYTES: usize = 8;

/// A text for people, cut to [`LONGEST_CHARS`].
pub(super) fn shown(text: &str) -> String {
    within(text, LONGEST_CHARS)
}

/// The title, unless it is blank.
pub(super) fn title(title: Option<&String>) -> Option<&str> {
    title.map(String::as_str).filter(|title| !is_blank(title))
}

/// The text without control characters, cut to `most` characters. It is cut between the characters that people see. If
/// the first of them is too long, such as a letter with a thousand accents, it is cut itself.
pub(super) fn within(text: &str, most: usize) -> String {
    let clean = cleaned(text);
    if clean.chars().count() <= most {
        return clean;
    }
    let clean = clean.trim_start();
    let mut end = 0;
    let mut count = 0;
    for grapheme in clean.graphemes(true) {
        count += grapheme.chars().count();
        if count > most {
            break;
        }
        end += grapheme.len();
    }
    if end == 0 { clean.chars().take(most).collect() } else { clean[..end].to_owned() }
}

/// An id or name without control characters, cut to `most` characters. Two that differ still differ when they are cut,
/// because a hash of the whole text replaces the rest.
pub(super) fn unique_within(text: &str, most: usize) -> String {
    let clean = cleaned(text);
    if clean.chars().count() <= most {
        return clean;
    }
    let mut cut = within(&clean, most.saturating_sub(2 * HASH_BYTES + 1));
    cut.push('~');
    cut.push_str(&hex::encode(&Sha256::digest(text)[..HASH_BYTES]));
    cut
}

/// The text with blanks for control characters. No backend accepts them everywhere: `PostgreSQL` refuses NUL, headers
/// refuse all of them.
fn cleaned(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// URL of a page, if a browser may open it.
pub(super) fn page(url: Option<&String>) -> Option<Url> {
    let page = Url::parse(url?).ok()?;
    matches!(page.scheme(), "http" | "https").then_some(page)
}

/// URL of a page in the characters of RFC 3986. Browsers accept some more.
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
        assert_eq!(within(&format!("{}name", " ".repeat(50)), 10), "name", "blanks are removed first");
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
        fn no_text_exceeds_its_limit(text in "(.|[\u{300}-\u{36f}\u{0}\u{200d}😀]){0,60}", most in 18_usize..40) {
            for cut in [within(&text, most), unique_within(&text, most)] {
                prop_assert!(cut.chars().count() <= most && !cut.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn the_url_of_a_page_is_escaped() {
        let page = |url: &str| page(Some(&url.to_owned())).map(String::from);
        assert_eq!(
            page("https://acme.pagerduty.com/a b\u{7f}").unwrap(),
            "https://acme.pagerduty.com/a%20b%7F"
        );
        let page = super::page(Some(&"https://me:pw@x.example/[a]|b?q={c}#d#e".to_owned())).unwrap();
        assert_eq!(uri(&page), "https://x.example/%5Ba%5D%7Cb?q=%7Bc%7D#d%23e");
    }

    #[test]
    fn a_url_that_a_browser_may_not_open_is_no_page() {
        let page = |url: &str| page(Some(&url.to_owned())).map(String::from);
        for url in ["javascript:alert(1)", "not a url", ""] {
            assert_eq!(page(url), None, "{url}");
        }
    }
}
