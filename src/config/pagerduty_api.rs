//! `[pagerduty.api]`: PagerDuty's REST API.

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::value::{ReconcileEvery, read_from_text};
use super::{Name, Secret, api_address};

/// `[pagerduty.api]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyApiSection {
    /// Base of the API's addresses.
    #[serde(default)]
    pub url: ApiUrl,
    /// API key or OAuth token.
    pub token: Secret,
    /// Kind of the token.
    #[serde(default)]
    pub scheme: TokenScheme,
    /// Id of the webhook subscription. `None`: the one whose URL ends in `pagerduty.path`.
    pub subscription: Option<Name>,
    /// Time between two reconciliations.
    #[serde(default)]
    pub reconcile_every: ReconcileEvery,
    /// Greatest number of requests in a minute.
    #[serde(default)]
    pub requests_per_minute: RequestsPerMinute,
}

impl PagerDutyApiSection {
    /// Id of the webhook subscription, if the configuration names it.
    pub fn subscription_id(&self) -> Option<String> {
        self.subscription.as_ref().map(|id| id.as_str().to_owned())
    }
}

/// `pagerduty.api.scheme`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenScheme {
    /// An API key, sent as `Authorization: Token token=…`.
    #[default]
    Token,
    /// An OAuth token, sent as `Authorization: Bearer …`.
    Bearer,
}

/// `pagerduty.api.requests_per_minute`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct RequestsPerMinute(u32);

impl RequestsPerMinute {
    /// The limit of an account, unless PagerDuty has raised it.
    pub const OF_ACCOUNT: u32 = 960;
    /// The highest allowed number.
    const HIGHEST: u32 = 1_000_000;

    /// The number, from 1 to a million.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for RequestsPerMinute {
    fn default() -> Self {
        Self(300)
    }
}

impl TryFrom<u32> for RequestsPerMinute {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        let is_allowed = (1..=Self::HIGHEST).contains(&number);
        is_allowed.then_some(Self(number)).ok_or("must be from 1 to 1000000")
    }
}

/// Base of the API's addresses. It has no credentials and no query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct ApiUrl(Url);

impl ApiUrl {
    /// The address.
    pub const fn get(&self) -> &Url {
        &self.0
    }
}

impl Default for ApiUrl {
    #[expect(clippy::expect_used, reason = "a test reads this address")]
    fn default() -> Self {
        Self(Url::parse("https://api.pagerduty.com").expect("this is an address"))
    }
}

read_from_text!(ApiUrl);

impl TryFrom<String> for ApiUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = api_address::read(&text)?;
        match pagerduty_url_error(&url) {
            Some(message) => Err(message),
            None => Ok(Self(url)),
        }
    }
}

impl From<ApiUrl> for String {
    fn from(url: ApiUrl) -> Self {
        api_address::written(&url.0)
    }
}

/// Mistake in an address of PagerDuty. Any other address may be a proxy's.
fn pagerduty_url_error(url: &Url) -> Option<String> {
    const DOMAIN: &str = "pagerduty.com";
    let host = url.host_str()?.trim_end_matches('.');
    let labels = host.strip_suffix(DOMAIN)?;
    if !labels.is_empty() && !labels.ends_with('.') {
        return None;
    }
    let is_european = labels.split('.').any(|label| label == "eu");
    let api = if is_european { "https://api.eu.pagerduty.com" } else { "https://api.pagerduty.com" };
    if api.strip_prefix("https://") != Some(host) {
        return Some(format!("is not the address of PagerDuty's API, which is {api}"));
    }
    if url.scheme() == "http" {
        return Some(format!("must begin with https://: PagerDuty accepts nothing over http ({api})"));
    }
    (url.path() != "/").then(|| format!("must not have a path, which is added: write {api}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn section(lines: &str) -> Result<PagerDutyApiSection, String> {
        let text = format!("[pagerduty.api]\ntoken = {{ value = \"canary\" }}\n{lines}\n");
        let config = Config::parse(&text).map_err(|problems| problems.to_string())?;
        Ok(config.pagerduty.api.unwrap())
    }

    #[test]
    fn only_the_token_is_needed() {
        let section = section("").unwrap();
        assert_eq!(String::from(section.url), "https://api.pagerduty.com");
        assert_eq!((section.scheme, section.subscription), (TokenScheme::Token, None));
        assert_eq!(section.reconcile_every.get().as_secs(), 900);
        assert_eq!(section.requests_per_minute.get(), 300);
        assert!(Config::default().pagerduty.api.is_none());
    }

    #[test]
    fn values_at_the_limits_are_allowed() {
        for lines in [
            "requests_per_minute = 1",
            "requests_per_minute = 960",
            "reconcile_every = \"1m\"",
            "reconcile_every = \"24h\"",
            "reconcile_every = \"1d\"",
            "scheme = \"bearer\"",
            "url = \"https://api.eu.pagerduty.com/\"",
            "url = \"http://127.0.0.1:8080/pagerduty\"",
            "url = \"https://notpagerduty.com/x\"",
        ] {
            section(lines).unwrap_or_else(|message| panic!("{lines}: {message}"));
        }
    }

    #[test]
    fn a_mistake_is_reported_with_its_key_and_what_to_write() {
        for (lines, expected) in [
            ("url = \"api.pagerduty.com\"", "pagerduty.api.url: \"api.pagerduty.com\" is not a URL: "),
            ("url = \"ftp://api.pagerduty.com\"", "must begin with http:// or https://"),
            ("url = \"https://me:pass@proxy\"", "pagerduty.api.url: must not have a user or a password"),
            ("url = \"https://proxy/?key=x\"", "must not have a query"),
            ("url = \"https://proxy/#x\"", "must not have a query (?…) or a fragment (#…)"),
            ("url = \"https://acme.pagerduty.com\"", "which is https://api.pagerduty.com"),
            ("url = \"https://acme.eu.pagerduty.com\"", "which is https://api.eu.pagerduty.com"),
            ("url = \"https://pagerduty.com\"", "which is https://api.pagerduty.com"),
            ("url = \"http://api.pagerduty.com\"", "must begin with https://"),
            ("url = \"https://api.pagerduty.com/incidents\"", "must not have a path"),
            ("scheme = \"basic\"", "pagerduty.api.scheme: \"basic\" is not known. Allowed: token, bearer"),
            ("subscription = \" \"", "pagerduty.api.subscription: \" \" is blank"),
            ("reconcile_every = \"59s\"", "pagerduty.api.reconcile_every: \"59s\" must be from 1m to 24h"),
            ("reconcile_every = \"25h\"", "\"25h\" must be from 1m to 24h"),
            ("requests_per_minute = 0", "pagerduty.api.requests_per_minute: 0 must be from 1 to 1000000"),
            ("requests_per_minute = 1000001", "1000001 must be from 1 to 1000000"),
        ] {
            let message = section(lines).unwrap_err();
            assert!(
                message.starts_with("line 3: pagerduty.api.") && message.contains(expected),
                "{lines}: {message}"
            );
            assert!(!message.contains("pass@") && message.lines().count() == 1, "{message}");
        }
    }

    #[test]
    fn a_table_without_a_token_is_refused() {
        let message = Config::parse("[pagerduty.api]\nscheme = \"bearer\"\n").unwrap_err().to_string();
        assert_eq!(message, "line 1: pagerduty.api: needs the key token");
        let message = Config::parse("[pagerduty.api]\ntoken = \"canary\"\n").unwrap_err().to_string();
        assert!(message.starts_with("line 2: pagerduty.api.token: must name the source of the secret"));
        assert!(!message.contains("canary") && message.lines().count() == 1, "{message}");
    }
}
