//! `github.url`: base of the addresses of GitHub's REST API.

use reqwest::Url;
use serde::Serialize;

use super::api_address;
use super::value::read_from_text;

/// Address of the API of github.com.
const OF_GITHUB_COM: &str = "https://api.github.com";
/// Path of the API of GitHub Enterprise Server.
const OF_ENTERPRISE_SERVER: &str = "/api/v3";

/// Base of the addresses of GitHub's REST API. It has no credentials and no query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct GitHubApiUrl {
    url: Url,
    /// Host of the web pages that belong to the API.
    host: String,
}

impl GitHubApiUrl {
    /// The address.
    pub const fn get(&self) -> &Url {
        &self.url
    }

    /// Host of the web pages that belong to the API, in the form of repositories' addresses.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl Default for GitHubApiUrl {
    #[expect(clippy::expect_used, reason = "a test reads this address")]
    fn default() -> Self {
        Self::try_from(OF_GITHUB_COM.to_owned()).expect("this is an address")
    }
}

read_from_text!(GitHubApiUrl);

impl TryFrom<String> for GitHubApiUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = api_address::read(&text)?;
        let host = api_address::host(&url)?;
        let is_on = |name: &str| url.host_str() == Some(name);
        if is_on("github.com") || is_on("www.github.com") {
            return Err(format!("is not the address of GitHub's API, which is {OF_GITHUB_COM}"));
        }
        if is_on("api.github.com") && url.scheme() == "http" {
            return Err(format!(
                "must begin with https://: GitHub accepts nothing over http ({OF_GITHUB_COM})"
            ));
        }
        match (url.path().trim_end_matches('/'), host.strip_prefix("api.")) {
            ("", Some(web)) => Ok(Self { host: web.to_owned(), url }),
            _ if is_on("api.github.com") => {
                Err(format!("must not have a path, which is added: write {OF_GITHUB_COM}"))
            }
            (OF_ENTERPRISE_SERVER, _) => Ok(Self { url, host }),
            _ => Err(format!(
                "is not the address of an API of GitHub: write {OF_GITHUB_COM}, or for GitHub Enterprise Server \
                 https://HOST{OF_ENTERPRISE_SERVER}"
            )),
        }
    }
}

impl From<GitHubApiUrl> for String {
    fn from(url: GitHubApiUrl) -> Self {
        api_address::written(&url.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_an_api_are_on_its_host() {
        for (api, host) in [
            ("https://api.github.com", "github.com"),
            ("https://api.github.com/", "github.com"),
            ("https://api.acme.ghe.com", "acme.ghe.com"),
            ("https://github.example.com/api/v3", "github.example.com"),
            ("https://api.example.com/api/v3/", "api.example.com"),
            ("http://127.0.0.1:8080/api/v3", "127.0.0.1:8080"),
        ] {
            assert_eq!(GitHubApiUrl::try_from(api.to_owned()).unwrap().host(), host, "{api}");
        }
        assert_eq!(GitHubApiUrl::default().host(), "github.com");
    }

    #[test]
    fn a_mistake_is_told_with_what_to_write() {
        for (text, expected) in [
            ("github.com", "is not a URL"),
            ("https://github.com", "which is https://api.github.com"),
            ("https://github.com/api/v3", "which is https://api.github.com"),
            ("http://api.github.com", "must begin with https://"),
            ("https://api.github.com/repos", "must not have a path"),
            ("https://github.example.com", "https://HOST/api/v3"),
            ("https://github.example.com/api", "https://HOST/api/v3"),
        ] {
            let message = GitHubApiUrl::try_from(text.to_owned()).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
