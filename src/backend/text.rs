//! Texts as backends take them.

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
        for url in ["javascript:alert(1)", "not a url", ""] {
            assert_eq!(page(url), None, "{url}");
        }
    }
}
