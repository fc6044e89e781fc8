//! `[[backend]]`: a metrics backend, and the filter of the failures and deployments that it gets.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::findings::Findings;
use super::list::List;
use super::{BackendUrl, Name, Secret, Timeout};
use crate::domain::forwarding::{BackendFilter, FailuresSent};
use crate::domain::mark_address::MarksBy;

/// `[[backend]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackendSection {
    /// Unique.
    pub name: Spanned<Name>,
    /// Protocol of the backend.
    pub kind: Spanned<BackendKind>,
    /// Base of its addresses; for `cdevents` and `http` the receiver itself.
    pub url: BackendUrl,
    /// API key of `datadog`, `datadog-events`, `datadog-metrics` and `devlake`.
    pub api_key: Option<Secret>,
    /// Application key of `datadog`, for deletions and marks.
    pub application_key: Option<Secret>,
    /// Token of `cdevents`, if the receiver needs one.
    pub token: Option<Secret>,
    /// Secret that requests of `http` are signed with, if the receiver checks signatures.
    pub signing_secret: Option<Secret>,
    change_failures: Option<Spanned<ChangeFailures>>,
    deployments: Option<Spanned<bool>>,
    failures: Option<Spanned<bool>>,
    open: Option<Spanned<bool>>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    services: List<Name>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    teams: List<Name>,
    #[serde(default, skip_serializing_if = "List::is_left_out")]
    envs: List<Name>,
    /// Longest time of an attempt.
    #[serde(default)]
    pub timeout: Timeout,
    /// Maximum number of attempts at once.
    #[serde(default = "default_concurrency")]
    pub concurrency: Concurrency,
}

/// `backend.kind`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum BackendKind {
    /// Datadog's DORA API, or this program's own event API.
    Datadog,
    /// Events of Datadog.
    DatadogEvents,
    /// Custom metrics of Datadog.
    DatadogMetrics,
    /// An incoming webhook of Apache DevLake.
    Devlake,
    /// A sink of CDEvents.
    Cdevents,
    /// Any receiver of signed JSON.
    Http,
}

impl BackendKind {
    /// Word in the file.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Keys of the required secrets, and of the optional ones.
    pub(super) const fn secrets(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Datadog => (&["api_key"], &["application_key"]),
            Self::DatadogEvents | Self::DatadogMetrics | Self::Devlake => (&["api_key"], &[]),
            Self::Cdevents => (&[], &["token"]),
            Self::Http => (&[], &["signing_secret"]),
        }
    }

    /// `true` if it takes deployments.
    const fn takes_deployments(self) -> bool {
        matches!(self, Self::Datadog | Self::DatadogMetrics | Self::Devlake)
    }
}

/// `backend.change_failures`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
enum ChangeFailures {
    /// `false`
    No,
    /// `true`
    ById,
    /// `"by_version"`
    ByVersion,
}

impl ChangeFailures {
    const BY_VERSION: &str = "by_version";

    const fn marks_by(self) -> Option<MarksBy> {
        match self {
            Self::No => None,
            Self::ById => Some(MarksBy::Id),
            Self::ByVersion => Some(MarksBy::Version),
        }
    }
}

impl TryFrom<toml::Value> for ChangeFailures {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        match value {
            toml::Value::Boolean(false) => Ok(Self::No),
            toml::Value::Boolean(true) => Ok(Self::ById),
            toml::Value::String(text) if text == Self::BY_VERSION => Ok(Self::ByVersion),
            _ => Err("must be true, false or \"by_version\""),
        }
    }
}

impl From<ChangeFailures> for toml::Value {
    fn from(value: ChangeFailures) -> Self {
        match value {
            ChangeFailures::No => Self::Boolean(false),
            ChangeFailures::ById => Self::Boolean(true),
            ChangeFailures::ByVersion => Self::String(ChangeFailures::BY_VERSION.to_owned()),
        }
    }
}

/// The value of a key with its place, if the value is `true`.
fn if_true(key: Option<&Spanned<bool>>) -> Option<&Spanned<bool>> {
    key.filter(|key| *key.get_ref())
}

impl BackendSection {
    /// All its secrets, under their keys.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        let Self { api_key, application_key, token, signing_secret, .. } = self;
        [
            ("api_key", api_key),
            ("application_key", application_key),
            ("token", token),
            ("signing_secret", signing_secret),
        ]
        .into_iter()
        .filter_map(|(key, secret)| Some((key, secret.as_ref()?)))
    }

    pub(super) fn secrets_mut(&mut self) -> impl Iterator<Item = &mut Secret> {
        let Self { api_key, application_key, token, signing_secret, .. } = self;
        [api_key, application_key, token, signing_secret].into_iter().flatten()
    }

    /// `true` if deployments are forwarded to it.
    pub fn forwards_deployments(&self) -> bool {
        if_true(self.deployments.as_ref()).is_some()
    }

    /// Way in which deployments that failed are marked there. `None`: they are not marked.
    pub fn marks_by(&self) -> Option<MarksBy> {
        self.change_failures.as_ref().and_then(|key| key.get_ref().marks_by())
    }

    /// Failures that are forwarded to it.
    pub fn failures_sent(&self) -> FailuresSent {
        let is_off = self.failures.as_ref().is_some_and(|failures| !*failures.get_ref());
        match if_true(self.open.as_ref()) {
            _ if is_off => FailuresSent::None,
            Some(_) => FailuresSent::OpenToo,
            None => FailuresSent::Completed,
        }
    }

    /// Filter of the failures and deployments that are forwarded to it.
    pub fn filter(&self) -> BackendFilter {
        let strings =
            |names: &List<Name>| names.values().iter().map(|name| name.as_str().to_owned()).collect();
        BackendFilter {
            services: strings(&self.services),
            teams: strings(&self.teams),
            envs: strings(&self.envs),
        }
    }

    /// Checks that its secrets, its address and its switches fit its kind.
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        self.check_secrets(findings);
        self.check_url(findings);
        let kind = *self.kind.get_ref();
        if let Some(key) = if_true(self.deployments.as_ref())
            && !kind.takes_deployments()
        {
            let message = format!(
                "a backend of kind {:?} does not take deployments: only \"datadog\", \"datadog-metrics\" and \
                 \"devlake\" do",
                kind.as_str()
            );
            findings.at(key.span(), message);
        }
        if let Some(key) = if_true(self.open.as_ref())
            && kind != BackendKind::DatadogEvents
        {
            let message = format!(
                "a backend of kind {:?} does not take open failures: only \"datadog-events\" does",
                kind.as_str()
            );
            findings.at(key.span(), message);
        }
        match self.change_failures.as_ref().filter(|key| key.get_ref().marks_by().is_some()) {
            Some(key) if kind != BackendKind::Datadog => {
                let message = format!(
                    "a backend of kind {:?} cannot mark deployments as failed: only \"datadog\" can",
                    kind.as_str()
                );
                findings.at(key.span(), message);
            }
            Some(key) if self.application_key.is_none() => {
                let message = "needs application_key: Datadog requires one for marks";
                findings.at(key.span(), message);
            }
            _ => {}
        }
    }

    fn check_secrets(&self, findings: &mut Findings<'_>) {
        let kind = *self.kind.get_ref();
        let (required, optional) = kind.secrets();
        let has = |key: &str| self.secrets().any(|(found, _)| found == key);
        for missing in required.iter().filter(|key| !has(key)) {
            let message = format!("kind {:?} needs {missing}", kind.as_str());
            findings.at(self.kind.span(), message);
        }
        let is_taken = |key: &str| required.contains(&key) || optional.contains(&key);
        for (foreign, _) in self.secrets().filter(|(key, _)| !is_taken(key)) {
            let taken = [required, optional].concat().join(", ");
            let message = format!("kind {:?} takes no {foreign}; it takes {taken}", kind.as_str());
            findings.at(self.kind.span(), message);
        }
    }

    fn check_url(&self, findings: &mut Findings<'_>) {
        let kind = *self.kind.get_ref();
        if self.url.has_query() && !matches!(kind, BackendKind::Cdevents | BackendKind::Http) {
            let message =
                format!("must not have a query: for kind {:?} a path is added to the address", kind.as_str());
            findings.at(self.url.place(), message);
        }
        let complaint = match kind {
            BackendKind::Datadog | BackendKind::DatadogMetrics => self.url.datadog_url_error(),
            BackendKind::DatadogEvents => self.url.datadog_intake_url_error(),
            BackendKind::Devlake => self.url.devlake_url_error().map(str::to_owned),
            BackendKind::Cdevents | BackendKind::Http => None,
        };
        if let Some(complaint) = complaint {
            findings.at(self.url.place(), format!("{} {complaint}", self.url));
        }
    }

    /// Warns of an address that is probably wrong, and of a backend that gets nothing.
    pub(super) fn warn(&self, findings: &mut Findings<'_>) {
        if let Some(key) = self.failures.as_ref().filter(|failures| !*failures.get_ref())
            && !self.forwards_deployments()
            && self.marks_by().is_none()
        {
            let message = "with failures = false, and without deployments and change_failures, this backend gets nothing";
            findings.at(key.span(), message.to_owned());
        }
        let doubt = match self.kind.get_ref() {
            BackendKind::Datadog | BackendKind::DatadogEvents | BackendKind::DatadogMetrics => {
                self.url.datadog_url_warning()
            }
            BackendKind::Devlake => self.url.devlake_url_warning(),
            BackendKind::Cdevents | BackendKind::Http => None,
        };
        if let Some(doubt) = doubt {
            findings.at(self.url.place(), format!("{} {doubt}", self.url));
        }
    }
}

/// `backend.concurrency`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "usize")]
pub struct Concurrency(usize);

impl TryFrom<usize> for Concurrency {
    type Error = &'static str;

    fn try_from(number: usize) -> Result<Self, Self::Error> {
        (1..=64).contains(&number).then_some(Self(number)).ok_or("must be from 1 to 64")
    }
}

impl Concurrency {
    /// The number, from 1 to 64.
    pub fn get(self) -> usize {
        self.0
    }
}

fn default_concurrency() -> Concurrency {
    Concurrency(4)
}
