//! Tables that a configuration has once.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::findings::Findings;
use super::host::HostName;
use super::list::List;
use super::pagerduty_api::PagerDutyApiSection;
use super::secret::Secret;
use super::tls::TlsSection;
use super::value::{self, ConfigDuration, Name, RoutePath, TimeZoneName, read_from_text};
use crate::domain::name::trimmed;
use crate::domain::policy::{Reopened, Start, WhichService};

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSection {
    /// Public address.
    #[serde(deserialize_with = "value::socket_address")]
    pub listen: SocketAddr,
    /// TLS. `None`: connections are plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSection>,
}

/// `[admin]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSection {
    /// Admin address.
    #[serde(deserialize_with = "value::socket_address")]
    pub listen: SocketAddr,
    /// Host names that it answers to besides loopback and its own address.
    pub hosts: Vec<HostName>,
}

/// `[pagerduty]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagerDutySection {
    /// Route of the webhooks.
    pub path: RoutePath,
    /// Secrets of webhook signatures. One that matches is enough.
    pub signing_secrets: Vec<Secret>,
    /// Answer to a wrong signature.
    pub unverified: UnverifiedPolicy,
    /// REST API. `None`: it is not used.
    pub api: Option<PagerDutyApiSection>,
}

/// `pagerduty.unverified`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnverifiedPolicy {
    /// 401: PagerDuty drops the event.
    #[default]
    Refuse,
    /// 503: PagerDuty keeps trying for 48 hours.
    Retry,
}

/// `[failure]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FailureSection {
    /// Event that counts as the start.
    pub start: Start,
    /// Measure of the duration of a reopened incident.
    pub reopened: Reopened,
    /// Time between a failure's end and its first request to backends.
    pub settle: ConfigDuration,
    /// Least duration: an incident that ended sooner does not count.
    pub min_duration: ConfigDuration,
    /// Env of failures for which nothing else gives one.
    pub default_env: Name,
    /// Service that counts when an incident was moved.
    pub service: WhichService,
    #[serde(skip_serializing_if = "List::is_left_out")]
    catalog: List<Spanned<Glob>>,
    /// Priority → severity.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    severity: BTreeMap<String, Name>,
}

/// `[events_api]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsApiSection {
    /// Keys that are accepted in `DD-API-KEY`. Without keys the API is off.
    pub keys: Vec<Secret>,
}

/// `[dora]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoraSection {
    /// Longest time from the end of a deployment to the start of a failure that it can have caused.
    pub link_window: ConfigDuration,
    /// Time zone in which days begin.
    pub timezone: TimeZoneName,
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Default for ServerSection {
    fn default() -> Self {
        Self { listen: loopback(8080), tls: None }
    }
}

impl Default for AdminSection {
    fn default() -> Self {
        Self { listen: loopback(8081), hosts: Vec::new() }
    }
}

impl Default for PagerDutySection {
    fn default() -> Self {
        Self {
            path: RoutePath::from_static("/webhooks/pagerduty"),
            signing_secrets: vec![Secret::Env { env: "PAGERDUTY_SIGNING_SECRET".into() }],
            unverified: UnverifiedPolicy::Refuse,
            api: None,
        }
    }
}

impl Default for FailureSection {
    fn default() -> Self {
        Self {
            start: Start::default(),
            reopened: Reopened::default(),
            settle: ConfigDuration::written("0s", 0),
            min_duration: ConfigDuration::written("0s", 0),
            default_env: Name::from_static("production"),
            service: WhichService::default(),
            catalog: List::default(),
            severity: BTreeMap::new(),
        }
    }
}

impl Default for DoraSection {
    fn default() -> Self {
        Self { link_window: ConfigDuration::written("24h", 86_400), timezone: TimeZoneName::default() }
    }
}

impl FailureSection {
    /// Patterns of the catalog files as written, with their places.
    pub(super) fn catalog(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.catalog.values().iter().map(|pattern| (pattern.get_ref().0.as_str(), pattern.span()))
    }

    /// Priorities and severities, without blanks around them.
    pub fn severities(&self) -> impl Iterator<Item = (&str, &str)> {
        self.severity.iter().map(|(priority, severity)| (trimmed(priority), severity.as_str()))
    }

    /// Checks that no priority is blank or listed twice.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (priority, _) in self.severities() {
            if priority.is_empty() {
                findings.about("failure.severity", "has a blank key: write the name of a priority");
            } else if let Some(other) = seen.insert(priority.to_lowercase(), priority) {
                let message = format!(
                    "{other:?} and {priority:?} are the same priority: keep the one that PagerDuty has"
                );
                findings.about("failure.severity", message);
            }
        }
    }
}

/// Pattern of file names that was checked.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "String")]
struct Glob(String);

read_from_text!(Glob);

impl TryFrom<String> for Glob {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if trimmed(&text).is_empty() {
            return Err("must not be empty: name a file, or a pattern such as \"catalog/*.yaml\"".to_owned());
        }
        if text.contains("://") {
            return Err("must be the path of a file or a pattern of paths, not a URL".to_owned());
        }
        glob::Pattern::new(&text).map_err(|error| format!("is not a pattern of file names: {error}"))?;
        Ok(Self(text))
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.0
    }
}
