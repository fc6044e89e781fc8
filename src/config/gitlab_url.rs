//! `gitlab.url`: address of a GitLab.

use reqwest::Url;
use serde::Serialize;

use super::api_address;
use super::value::read_from_text;

/// Address of GitLab's own instance.
const GITLAB_COM: &str = "https://gitlab.com";
/// Path of the REST API.
const API: &str = "/api/v4";

/// Address of a GitLab, without the path of its API. It has no credentials and no query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct GitLabUrl {
    url: Url,
    /// Host of the web pages, with the path of a GitLab that is below one.
    host: String,
}

impl GitLabUrl {
    /// Base of the addresses of the REST API.
    pub fn api(&self) -> Url {
        let mut api = self.url.clone();
        api.set_path(&format!("{}{API}", self.url.path().trim_end_matches('/')));
        api
    }

    /// Host of the web pages, with the path of a GitLab that is below one, in the form of repositories' addresses.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl Default for GitLabUrl {
    #[expect(clippy::expect_used, reason = "a test reads this address")]
    fn default() -> Self {
        Self::try_from(GITLAB_COM.to_owned()).expect("this is an address")
    }
}

read_from_text!(GitLabUrl);

impl TryFrom<String> for GitLabUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut url = api_address::read(&text)?;
        let path = url.path().trim_end_matches('/').to_owned();
        let path = path.strip_suffix(API).unwrap_or(&path);
        if path.contains("/api/") || path.ends_with("/api") {
            return Err(format!(
                "must be the address of the GitLab, such as {GITLAB_COM}: {API} is added to it"
            ));
        }
        if url.host_str() == Some("gitlab.com") && (!path.is_empty() || url.scheme() == "http") {
            return Err(format!("is not the address of GitLab's own instance, which is {GITLAB_COM}"));
        }
        url.set_path(path);
        let host = format!("{}{path}", api_address::host(&url)?);
        Ok(Self { url, host })
    }
}

impl From<GitLabUrl> for String {
    fn from(url: GitLabUrl) -> Self {
        api_address::written(&url.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_below_the_address() {
        for (text, api, host) in [
            ("https://gitlab.com", "https://gitlab.com/api/v4", "gitlab.com"),
            ("https://gitlab.example.com/", "https://gitlab.example.com/api/v4", "gitlab.example.com"),
            ("https://gitlab.example.com/api/v4", "https://gitlab.example.com/api/v4", "gitlab.example.com"),
            ("https://example.com/git/", "https://example.com/git/api/v4", "example.com/git"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v4", "127.0.0.1:8080"),
        ] {
            let url = GitLabUrl::try_from(text.to_owned()).unwrap();
            assert_eq!((url.api().as_str(), url.host()), (api, host), "{text}");
        }
        assert_eq!(String::from(GitLabUrl::default()), "https://gitlab.com");
    }

    #[test]
    fn a_mistake_is_told_with_what_to_write() {
        for (text, expected) in [
            ("gitlab.com", "is not a URL"),
            ("https://gitlab.example.com/api/v3", "/api/v4 is added to it"),
            ("https://gitlab.com/acme", "which is https://gitlab.com"),
            ("http://gitlab.com", "which is https://gitlab.com"),
        ] {
            let message = GitLabUrl::try_from(text.to_owned()).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
