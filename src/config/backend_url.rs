//! Addresses of backends.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Spanned;

/// Address of a backend. Its credentials and its query, which often has a token, are used but never shown.
#[derive(Clone)]
pub struct BackendUrl {
    url: reqwest::Url,
    place: Range<usize>,
}

impl BackendUrl {
    /// The address itself.
    pub fn get(&self) -> reqwest::Url {
        self.url.clone()
    }

    #[expect(clippy::expect_used, reason = "an address of http or https has a host")]
    fn host(&self) -> &str {
        self.url.host_str().expect("an address of http or https has a host")
    }

    /// `true` if it has a query.
    pub(super) fn has_query(&self) -> bool {
        self.url.query().is_some()
    }

    /// The address of `path` under this one.
    pub fn join(&self, path: &str) -> reqwest::Url {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }
}

/// The address with `redacted` in place of its credentials.
pub(super) fn without_credentials(url: &reqwest::Url) -> Result<reqwest::Url, fmt::Error> {
    let mut url = url.clone();
    if url.password().is_some() || !url.username().is_empty() {
        url.set_password(None).and_then(|()| url.set_username("redacted")).map_err(|()| fmt::Error)?;
    }
    Ok(url)
}

/// Reads an address. The error does not repeat it, because it may hold credentials.
fn parse(text: &str) -> Result<reqwest::Url, String> {
    let url = reqwest::Url::parse(text.trim()).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with http:// or https://".to_owned());
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment (#…): it is never sent".to_owned());
    }
    Ok(url)
}

impl<'de> Deserialize<'de> for BackendUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Spanned::<String>::deserialize(deserializer)?;
        let url = parse(text.get_ref()).map_err(serde::de::Error::custom)?;
        Ok(Self { url, place: text.span() })
    }
}

/// Checks for mistakes in an address. The program adds a path to the address, and sends a key there.
impl BackendUrl {
    /// Place in the text.
    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// Mistake in the address of a Datadog API.
    pub(super) fn datadog_url_error(&self) -> Option<String> {
        self.datadog_host_error(API, "API")
    }

    /// Mistake in the address of a Datadog intake of events.
    pub(super) fn datadog_intake_url_error(&self) -> Option<String> {
        self.datadog_host_error(EVENT_INTAKE, "intake of events")
    }

    /// The API of the Datadog site that this address belongs to. `None` if it belongs to none.
    pub fn datadog_api(&self) -> Option<reqwest::Url> {
        let host = datadog_host(&self.host().to_ascii_lowercase(), API)?;
        reqwest::Url::parse(&format!("https://{host}")).ok()
    }

    /// Mistake in the address of a part of Datadog: the name of its host begins with `part`.
    fn datadog_host_error(&self, part: &str, title: &str) -> Option<String> {
        let host = self.host().to_ascii_lowercase();
        let right = datadog_host(&host, part);
        if let Some(right) = right.as_ref().filter(|right| **right != host) {
            return Some(format!("is not the address of Datadog's {title}, which is https://{right}"));
        }
        if right.is_some() && self.url.scheme() == "http" {
            return Some(format!(
                "must begin with https://: Datadog accepts nothing over http (https://{host})"
            ));
        }
        // Datadog's own hosts have no path. A proxy may have one.
        let is_wrong = if right.is_some() { !self.segments().is_empty() } else { self.has_version() };
        is_wrong.then(|| {
            "must not contain the path of the API, which is added (/api/v2/…): leave out everything from /api on"
                .to_owned()
        })
    }

    /// `true` if the path has a version of a Datadog API in it, such as `/api/v2`.
    fn has_version(&self) -> bool {
        let path = self.plain_path();
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        segments.windows(2).any(|pair| matches!(pair, ["api", "v1" | "v2"]))
    }

    /// Path in lower case, with percent-encoding decoded.
    fn plain_path(&self) -> String {
        percent_encoding::percent_decode_str(self.url.path()).decode_utf8_lossy().to_lowercase()
    }

    /// Mistake in the address of a DevLake connection.
    pub(super) fn devlake_url_error(&self) -> Option<&'static str> {
        let is_too_long =
            matches!(self.segments().last(), Some(&("issues" | "issue" | "deployments" | "close")));
        is_too_long.then_some(
            "must end with the connection (…/connections/1): /issues and /deployments are added, so leave them out",
        )
    }

    /// Doubt about the address of a Datadog API.
    pub(super) fn datadog_url_warning(&self) -> Option<&'static str> {
        const ENDS: [&str; 11] = [
            "api",
            "v1",
            "v2",
            "dora",
            "failure",
            "deployment",
            "incident",
            "deployments",
            "events",
            "series",
            "distribution_points",
        ];
        let path = self.plain_path();
        let last = path.rsplit('/').find(|segment| !segment.is_empty())?;
        ENDS.contains(&last)
            .then_some("ends like the path of the API, and /api/v2/… is added to it: is that intended?")
    }

    /// Doubt about the address of a DevLake connection.
    pub(super) fn devlake_url_warning(&self) -> Option<&'static str> {
        let segments = self.segments();
        let plugin = segments.windows(2).position(|pair| pair == ["plugins", "webhook"]);
        let connection = plugin.and_then(|at| segments.get(at + 2..)).unwrap_or_default();
        let is_connection = match connection {
            ["connections", number] => number.bytes().all(|byte| byte.is_ascii_digit()),
            ["connections", "by-name", _] => true,
            _ => false,
        };
        (!is_connection).then_some(
            "is not the address of a webhook connection of DevLake, which is …/api/rest/plugins/webhook/connections/1, or \
             …/connections/by-name/NAME",
        )
    }

    fn segments(&self) -> Vec<&str> {
        self.url.path().split('/').filter(|segment| !segment.is_empty()).collect()
    }
}

/// First label of the hosts of Datadog's API, and of its intake of events.
const API: &str = "api";
const EVENT_INTAKE: &str = "event-management-intake";

/// Host of a part of the Datadog site that `host` belongs to (Datadog: Getting Started, Sites). `None` if it belongs
/// to none.
fn datadog_host(host: &str, part: &str) -> Option<String> {
    let host = host.trim_end_matches('.');
    let (labels, domain) =
        ["datadoghq.com", "datadoghq.eu", "ddog-gov.com"].into_iter().find_map(|domain| {
            let before = host.strip_suffix(domain)?;
            (before.is_empty() || before.ends_with('.')).then(|| (before.trim_end_matches('.'), domain))
        })?;
    let site = labels.rsplit('.').next().filter(|label| is_site(label));
    Some(match (site, domain) {
        // Sites whose names are not in their hosts.
        (Some("us1"), "datadoghq.com") => format!("{part}.datadoghq.com"),
        (Some("eu1"), "datadoghq.com" | "datadoghq.eu") => format!("{part}.datadoghq.eu"),
        (Some(site), _) => format!("{part}.{site}.{domain}"),
        // Newer sites may have names of any form.
        (None, _) => match labels.split_once('.') {
            Some((API | EVENT_INTAKE, site)) => format!("{part}.{site}.{domain}"),
            _ => format!("{part}.{domain}"),
        },
    })
}

/// `true` for a name in the form of Datadog's sites: letters, then a number.
fn is_site(label: &str) -> bool {
    let number = label.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let has_both = !number.is_empty() && number.len() < label.len();
    has_both && number.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = without_credentials(&self.url)?;
        if url.query().is_some() {
            url.set_query(Some("redacted"));
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for BackendUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> BackendUrl {
        BackendUrl { url: parse(text).unwrap(), place: 0..0 }
    }

    #[test]
    fn the_web_site_of_datadog_is_not_its_api() {
        for (written, api) in [
            ("https://app.datadoghq.com", "https://api.datadoghq.com"),
            ("https://datadoghq.com/", "https://api.datadoghq.com"),
            ("https://www.datadoghq.eu", "https://api.datadoghq.eu"),
            ("https://us3.datadoghq.com", "https://api.us3.datadoghq.com"),
            ("https://app.us5.datadoghq.com/account", "https://api.us5.datadoghq.com"),
            ("https://acme.datadoghq.com", "https://api.datadoghq.com"),
            ("https://APP.ddog-gov.com", "https://api.ddog-gov.com"),
            ("https://event-management-intake.ap1.datadoghq.com", "https://api.ap1.datadoghq.com"),
            ("https://app.uk1.datadoghq.com", "https://api.uk1.datadoghq.com"),
            ("https://us2.ddog-gov.com", "https://api.us2.ddog-gov.com"),
            ("https://us1.datadoghq.com", "https://api.datadoghq.com"),
            ("https://api.us1.datadoghq.com", "https://api.datadoghq.com"),
            ("https://eu1.datadoghq.com", "https://api.datadoghq.eu"),
            ("https://api.datadoghq.com.", "https://api.datadoghq.com"),
        ] {
            let message = url(written).datadog_url_error().unwrap();
            assert!(message.ends_with(api), "{written}: {message}");
        }
        for right in [
            "https://api.datadoghq.com",
            "https://api.us3.datadoghq.com/",
            "https://api.uk1.datadoghq.com",
            "https://api.us2.ddog-gov.com",
            "https://api.newer-site.datadoghq.com",
            "http://127.0.0.1:1",
            "https://proxy/dd",
        ] {
            assert_eq!(url(right).datadog_url_error(), None, "{right}");
        }
    }

    #[test]
    fn events_go_to_the_intake_of_the_site() {
        for (written, intake) in [
            ("https://api.datadoghq.com", "https://event-management-intake.datadoghq.com"),
            ("https://app.us5.datadoghq.com", "https://event-management-intake.us5.datadoghq.com"),
            ("https://api.datadoghq.eu", "https://event-management-intake.datadoghq.eu"),
            (
                "https://api.newer-site.datadoghq.com",
                "https://event-management-intake.newer-site.datadoghq.com",
            ),
        ] {
            let message = url(written).datadog_intake_url_error().unwrap();
            assert!(message.ends_with(intake), "{written}: {message}");
            assert_eq!(url(intake).datadog_intake_url_error(), None);
        }
        assert_eq!(url("http://127.0.0.1:1").datadog_intake_url_error(), None);
        assert!(
            url("https://event-management-intake.datadoghq.com/api/v2").datadog_intake_url_error().is_some()
        );
        let api = |written: &str| url(written).datadog_api().map(|api| api.origin().ascii_serialization());
        assert_eq!(
            api("https://event-management-intake.ap1.datadoghq.com").as_deref(),
            Some("https://api.ap1.datadoghq.com")
        );
        assert_eq!(api("https://proxy/dd"), None);
    }

    #[test]
    fn an_address_must_not_contain_the_path_that_is_added() {
        for wrong in [
            "https://api.datadoghq.com/api",
            "https://api.datadoghq.com/api/v2/dora/failure",
            "https://api.datadoghq.com/api/v2",
            "http://127.0.0.1:1/api/v1/",
            "https://api.datadoghq.com/API/V2",
            "https://api.datadoghq.com/api%2Fv2",
            "https://api.datadoghq.com/v2",
            "https://api.datadoghq.com/dora/failure",
            "http://proxy/API/v2",
            "http://api.datadoghq.com",
        ] {
            assert!(url(wrong).datadog_url_error().is_some(), "{wrong}");
        }
        for doubtful in
            ["http://proxy/api", "http://proxy/v2", "http://proxy/dora/failure", "http://proxy/x%2Fapi/"]
        {
            assert!(url(doubtful).datadog_url_warning().is_some(), "{doubtful}");
        }
        assert_eq!(url("http://proxy/dd").datadog_url_warning(), None);
        let connection = "http://devlake/api/rest/plugins/webhook/connections/1";
        assert_eq!(url(connection).devlake_url_error(), None);
        assert_eq!(url(connection).devlake_url_warning(), None);
        for wrong in ["/issues", "/issues/", "/deployments"] {
            assert!(url(&format!("{connection}{wrong}")).devlake_url_error().is_some(), "{wrong}");
        }
        assert_eq!(
            url("http://devlake/api/rest/plugins/webhook/connections/by-name/pagerduty")
                .devlake_url_warning(),
            None
        );
        for doubtful in
            ["", "/connections/", "/1", "/connections/abc", "/connections/1/x", "/connections/by-name/"]
        {
            let doubtful = format!("http://devlake/api/rest/plugins/webhook{doubtful}");
            assert!(url(&doubtful).devlake_url_warning().is_some(), "{doubtful}");
        }
        assert!(url("http://devlake").devlake_url_warning().is_some());
    }
}
