//! `[outgoing]`: how requests reach backends and APIs.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::{Deserialize, Serialize, Serializer};

use super::backend_url::without_credentials;
use super::value::read_from_text;
use crate::domain::name::trimmed;

/// `[outgoing]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutgoingSection {
    /// Proxy for all requests to backends and APIs. `None`: they go there directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyUrl>,
    /// PEM file with certificates that are trusted besides the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<PathBuf>,
}

impl OutgoingSection {
    /// `true` if nothing is configured.
    pub(super) fn is_empty(&self) -> bool {
        self.proxy.is_none() && self.certificate_authority.is_none()
    }

    /// Makes a relative path start at `folder`.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        if let Some(file) = &mut self.certificate_authority {
            *file = folder.join(&*file);
        }
    }
}

/// Address of a proxy. Its credentials are used but never shown.
#[derive(Clone)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The address.
    pub const fn get(&self) -> &Url {
        &self.0
    }
}

read_from_text!(ProxyUrl);

impl TryFrom<String> for ProxyUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = Url::parse(trimmed(&text)).map_err(|error| format!("is not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(
                "must begin with http:// or https://: other kinds of proxies are not supported".to_owned()
            );
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("must end with the host and the port, such as http://proxy:3128".to_owned());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ProxyUrl {
    /// The address without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(without_credentials(&self.0)?.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ProxyUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credentials_of_a_proxy_are_not_shown() {
        let proxy = ProxyUrl::try_from("http://canary:canary2@proxy:3128".to_owned()).unwrap();
        assert_eq!(proxy.to_string(), "http://redacted@proxy:3128");
        assert_eq!(format!("{proxy:?}"), "http://redacted@proxy:3128");
        assert_eq!(proxy.get().password(), Some("canary2"));
    }

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        for wrong in ["proxy:3128", "socks5://proxy:1080", "http://proxy/path", "http://proxy?x=1", ""] {
            assert!(ProxyUrl::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
