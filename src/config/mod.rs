//! Configuration file: its keys, their defaults, and the checks of their values.

mod api_address;
mod backend;
mod backend_url;
pub mod changes;
mod clean;
mod deployment;
pub(crate) mod deployment_api;
mod environment;
mod findings;
mod github;
mod github_api_url;
mod gitlab;
mod gitlab_url;
mod host;
mod list;
pub mod listener_secrets;
mod load;
mod log;
mod outgoing;
mod pagerduty_api;
pub mod pagerduty_token;
mod problem;
mod read;
mod regular_file;
mod rule;
mod secret;
mod secret_form;
mod section;
mod service;
mod signing_token;
mod source_map;
pub(crate) mod store;
mod store_password;
mod store_url;
mod syntax;
mod tls;
mod tree;
mod value;
mod warnings;
mod wording;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;

pub use backend::{BackendKind, BackendSection};
pub use backend_url::BackendUrl;
pub use clean::NotASecret;
pub use deployment::DeploymentSection;
pub use environment::{journal_stream, postgres_password_file, postgres_user, socket_names};
pub use github::GitHubSection;
pub use github_api_url::GitHubApiUrl;
pub use gitlab::GitLabSection;
pub use gitlab_url::GitLabUrl;
pub use host::HostName;
pub use list::List;
pub use log::{LogFormat, LogLevel, LogSection};
pub use outgoing::{OutgoingSection, ProxyUrl};
pub use pagerduty_api::{ApiUrl, PagerDutyApiSection, RequestsPerMinute, TokenScheme};
pub use problem::{Problem, Problems};
pub(crate) use regular_file::check_regular_file;
pub use rule::RuleSection;
pub use secret::{Secret, SecretError};
pub use section::{
    AdminSection, DoraSection, EventsApiSection, FailureSection, PagerDutySection, ServerSection,
    UnverifiedPolicy,
};
pub use service::ServiceSection;
pub use signing_token::signing_key;
pub use store::{StoreDurability, StoreSection};
pub use store_url::StoreUrl;
pub use tls::TlsSection;
pub use value::{
    ConfigDuration, Name, ReconcileEvery, RepositoryUrl, Retention, RoutePath, TimeZoneName, Timeout,
};

use self::findings::Findings;
use self::source_map::SourceMap;
use self::tree::RefusedKeys;
use crate::domain::catalog::Catalog;
use crate::domain::forwarding::BackendEntry;
use crate::domain::policy::Policy;

/// Text of `config.example.toml`. Its values are the defaults.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Effective configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// File that it was read from. `None` if there was none, so that the defaults are used.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Text of the file, for finding the line of a key.
    #[serde(skip)]
    source_map: SourceMap,
    /// Keys whose values were refused. The checks that compare values leave them out.
    #[serde(skip)]
    refused: RefusedKeys,
    /// Listener for PagerDuty and the deployment pipelines.
    pub server: ServerSection,
    /// Listener for health, metrics, dashboard and JSON API.
    pub admin: AdminSection,
    /// Requests to backends and APIs.
    #[serde(skip_serializing_if = "OutgoingSection::is_empty")]
    pub outgoing: OutgoingSection,
    /// Log.
    pub log: LogSection,
    /// Store.
    pub store: StoreSection,
    /// Webhooks of PagerDuty.
    pub pagerduty: PagerDutySection,
    /// Rules by which an incident becomes a failure.
    pub failure: FailureSection,
    /// Event API.
    pub events_api: EventsApiSection,
    /// Webhooks of GitHub, and its API. `None`: both are off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github: Option<GitHubSection>,
    /// Webhooks of GitLab, and its API. `None`: both are off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitlab: Option<GitLabSection>,
    /// Tables that decide which deployments of GitHub and GitLab count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deployment: Vec<DeploymentSection>,
    /// Figures.
    pub dora: DoraSection,
    /// Rules that decide which incidents count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<RuleSection>,
    /// Services, team and env for each PagerDuty service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<ServiceSection>,
    /// Metrics backends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backend: Vec<BackendSection>,
}

impl Config {
    /// Names of the backends, with the filter of each.
    #[must_use]
    pub fn backend_entries(&self) -> Vec<BackendEntry> {
        let backend_entry = |entry: &BackendSection| BackendEntry {
            name: entry.name.get_ref().as_str().to_owned(),
            filter: entry.filter(),
            failures: entry.failures_sent(),
            deployments: entry.forwards_deployments(),
            marks_by: entry.marks_by(),
        };
        self.backend.iter().map(backend_entry).collect()
    }

    /// Adds file and line to a mistake that was found when a value was used.
    #[must_use]
    pub fn locate(&self, problem: Problem) -> Problem {
        problem.in_file(self.file.as_deref(), |key| self.source_map.line_of(key))
    }

    /// `true` if the value of this key was refused, so that it cannot be checked any further.
    pub(crate) fn is_refused(&self, key: &str) -> bool {
        self.refused.holds(key)
    }

    /// Checks that the values fit each other.
    fn check(&self, findings: &mut Findings<'_>) {
        check_unique("backend", self.backend.iter().map(|backend| &backend.name), findings);
        check_unique("rule", self.rule.iter().map(|rule| &rule.name), findings);
        check_unique("[[deployment]] table", self.deployment.iter().map(|table| &table.name), findings);
        self.backend.iter().for_each(|backend| backend.check(findings));
        self.rule.iter().for_each(|rule| rule.check(findings));
        self.service.iter().for_each(|service| service.check(findings));
        self.deployment.iter().for_each(|table| table.check(findings));
        self.check_paths(findings);
        self.failure.check(findings);
        self.server.tls.iter().for_each(|tls| tls.check(findings));
        self.check_listeners(findings);
        self.store.check(self.is_refused("store.url"), findings);
    }

    /// Checks that the two listeners use different ports.
    fn check_listeners(&self, findings: &mut Findings<'_>) {
        if self.is_refused("server.listen") || self.is_refused("admin.listen") {
            return;
        }
        let (public, admin) = (self.server.listen, self.admin.listen);
        let share_hosts =
            public.ip() == admin.ip() || public.ip().is_unspecified() || admin.ip().is_unspecified();
        if share_hosts && public.port() == admin.port() && admin.port() != 0 {
            findings.about(
                "server.listen",
                format!("uses the same port as admin.listen ({admin}): choose another port"),
            );
        }
    }

    /// Paths of the webhooks of each source that is configured, with their keys.
    fn webhook_paths(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let github = self.github.as_ref().map(|section| ("github.path", section.path.as_str()));
        let gitlab = self.gitlab.as_ref().map(|section| ("gitlab.path", section.path.as_str()));
        std::iter::once(("pagerduty.path", self.pagerduty.path.as_str())).chain(github).chain(gitlab)
    }

    /// Checks that each source has a path of its own. A slash at the end makes no difference.
    fn check_paths(&self, findings: &mut Findings<'_>) {
        let mut seen = BTreeMap::new();
        for (key, path) in self.webhook_paths().filter(|(key, _)| !self.is_refused(key)) {
            if let Some(other) = seen.insert(path.trim_end_matches('/'), key) {
                findings.about(key, format!("is the same path as {other}: choose another one"));
            }
        }
    }

    /// Makes relative paths start at `folder`, the folder of the file.
    fn resolve_paths(&mut self, folder: &Path) {
        self.store.resolve_paths(folder);
        self.outgoing.resolve_paths(folder);
        self.server.tls.iter_mut().for_each(|tls| tls.resolve_paths(folder));
        let of_backends = self.backend.iter_mut().flat_map(BackendSection::secrets_mut);
        of_backends.for_each(|secret| secret.resolve_path(folder));
        self.listener_secrets_mut().for_each(|secret| secret.resolve_path(folder));
        self.deployment_tokens_mut().for_each(|secret| secret.resolve_path(folder));
        if let Some(api) = &mut self.pagerduty.api {
            api.token.resolve_path(folder);
        }
    }

    /// The same configuration, in which systemd's credentials are files in the folder of the configuration, from where
    /// the packaged unit loads them.
    #[must_use]
    pub fn with_credentials_of_its_folder(&self) -> Self {
        let mut config = self.clone();
        let folder = self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        let of_api = config.pagerduty.api.iter_mut().map(|api| &mut api.token);
        let of_backends = config.backend.iter_mut().flat_map(BackendSection::secrets_mut);
        of_api.chain(of_backends).for_each(|secret| secret.load_credential(&folder));
        config.listener_secrets_mut().for_each(|secret| secret.load_credential(&folder));
        config.deployment_tokens_mut().for_each(|secret| secret.load_credential(&folder));
        config.store.password.iter_mut().for_each(|secret| secret.load_credential(&folder));
        config.server.tls.iter_mut().for_each(|tls| tls.load_credentials(&folder));
        config
    }

    /// Patterns of the catalog files. Relative ones start at the folder of the configuration.
    pub fn catalog_patterns(&self) -> impl Iterator<Item = CatalogPattern> {
        // Special characters in the name of the folder are not a pattern.
        let folder = match self.file.as_deref().and_then(Path::parent).map(Path::to_string_lossy) {
            Some(folder) if !folder.is_empty() => glob::Pattern::escape(&folder) + "/",
            _ => String::new(),
        };
        self.failure.catalog().map(move |(pattern, place)| {
            let path =
                if pattern.starts_with('/') { pattern.to_owned() } else { format!("{folder}{pattern}") };
            CatalogPattern { path, place }
        })
    }

    /// Problem with a pattern of the catalog, with its place.
    pub(crate) fn problem_with_pattern(&self, pattern: &CatalogPattern, message: &str) -> Problem {
        self.locate(self.source_map.problem(pattern.place.clone(), message))
    }

    /// Mistake in a backend as a whole, with its place.
    pub(crate) fn problem_with_backend(&self, entry: &BackendSection, message: impl fmt::Display) -> Problem {
        let key = format!("backend {:?}", entry.name.get_ref());
        match self.file {
            Some(_) => {
                let line = self.source_map.line(entry.name.span().start);
                self.locate(Problem::at(line, Some(key), message))
            }
            None => Problem::with_key(&key, message),
        }
    }

    /// Policy with an empty catalog. The `catalog` module reads the catalog.
    pub fn policy(&self) -> Policy {
        let owned = |(priority, severity): (&str, &str)| (priority.to_owned(), severity.to_owned());
        Policy {
            start: self.failure.start,
            reopened: self.failure.reopened,
            min_duration: self.failure.min_duration.get(),
            settle: self.failure.settle.get(),
            link_window: self.dora.link_window.get(),
            rules: self.rule.iter().map(RuleSection::to_domain).collect(),
            service: self.failure.service,
            default_env: self.failure.default_env.as_str().to_owned(),
            severities: self.failure.severities().map(owned).collect(),
            services: self.service.iter().map(ServiceSection::to_domain).collect(),
            deployments: self.deployment.iter().map(DeploymentSection::to_domain).collect(),
            catalog: Catalog::default(),
        }
    }

    /// Effective configuration as TOML, without secrets.
    pub fn show(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

/// Pattern of `failure.catalog`, with its place in the text.
#[derive(Debug)]
pub struct CatalogPattern {
    /// Pattern, relative to the working directory of the process or absolute.
    pub path: String,
    place: Range<usize>,
}

/// Checks that names are unique.
fn check_unique<'a>(
    thing: &str,
    names: impl Iterator<Item = &'a Spanned<Name>>,
    findings: &mut Findings<'_>,
) {
    let mut seen = BTreeMap::new();
    for name in names {
        let place = name.span();
        if let Some(first) = seen.insert(name.get_ref().as_str(), place.clone()) {
            let line = findings.line(&first);
            let message =
                format!("another {thing} (line {line}) is called {:?}: names must be unique", name.get_ref());
            findings.at(place, message);
        }
    }
}

#[cfg(test)]
mod tests;
