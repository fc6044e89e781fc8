//! Texts of a payload, cleaned.

use reqwest::Url;

use super::lenient::Lenient;
use crate::domain::address::{text_without_credentials, without_credentials};
use crate::domain::name::name;

/// A text without blanks around it and without credentials. `None` if it is blank or unknown.
pub(super) fn text(text: &Lenient<String>) -> Option<String> {
    text.0.as_deref().and_then(cleaned)
}

/// Same as [`text()`], for a text that is known.
pub(super) fn cleaned(text: &str) -> Option<String> {
    Some(text_without_credentials(name(text)?).into_owned())
}

/// An address without blanks around it and without credentials. `None` if it is blank or unknown.
pub(super) fn address(address: &Lenient<String>) -> Option<String> {
    Some(without_credentials(name(address.0.as_deref()?)?).into_owned())
}

/// Host of an address, with its port unless that is the scheme's own. `None` if it is not a web address.
pub(super) fn host(address: &str) -> Option<String> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_with_an_unusual_port() {
        for (address, expected) in [
            ("https://GitHub.com/acme/checkout", Some("github.com")),
            ("https://gitlab.example.com:443/acme", Some("gitlab.example.com")),
            ("http://gitlab.example.com:8080/acme", Some("gitlab.example.com:8080")),
            ("https://me:secret@gitlab.example.com/acme", Some("gitlab.example.com")),
            ("https://[::1]:8443/acme", Some("::1:8443")),
            ("git@github.com:acme/checkout", None),
            ("github.com/acme/checkout", None),
            ("", None),
        ] {
            assert_eq!(host(address).as_deref(), expected, "{address}");
        }
    }
}
