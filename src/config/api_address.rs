//! Base of an API's addresses: the checks that the addresses of all APIs share.

use reqwest::Url;

use crate::domain::name::trimmed;

/// Reads the base of an API's addresses. Paths are added to it, and a token is sent there.
pub(super) fn read(text: &str) -> Result<Url, String> {
    let url = Url::parse(trimmed(text)).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user or a password: the token is sent".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query (?…) or a fragment (#…): paths are added to it".to_owned());
    }
    Ok(url)
}

/// Host of an address, with its port unless that is the scheme's own.
pub(super) fn host(url: &Url) -> Result<String, &'static str> {
    let host = url.host_str().ok_or("has no host")?;
    Ok(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// The address as a person would write it: without a slash at the end.
pub(super) fn written(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_has_a_scheme_and_a_host_and_nothing_that_is_added_or_sent() {
        for (text, expected) in [
            ("github.com", "is not a URL"),
            ("ftp://api.github.com", "must begin with http:// or https://"),
            ("https://me:pass@proxy", "must not have a user or a password"),
            ("https://token@proxy", "must not have a user or a password"),
            ("https://proxy?x=1", "must not have a query"),
            ("https://proxy#x", "must not have a query"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.starts_with(expected), "{text}: {message}");
        }
        assert_eq!(written(&read(" https://proxy/api/ ").unwrap()), "https://proxy/api");
    }
}
