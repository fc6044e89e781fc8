//! Texts as backends take them.

use std::fmt::Write;

use reqwest::Url;

/// Longer texts are cut at a character boundary.
pub(super) const LONGEST_CHARS: usize = 1_000;

/// Without control characters, and cut where it is too long.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(LONGEST_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
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
    use super::*;

    #[test]
    fn hostile_texts_are_cut_and_cleaned() {
        let text = shown(&"\u{202e}<script>\0\n".repeat(500));
        assert_eq!(text.chars().count(), LONGEST_CHARS);
        assert!(!text.chars().any(char::is_control));
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
