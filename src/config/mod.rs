//! The configuration file: what may stand in it, what holds where it is silent, and what is refused.

mod backend;
mod host;
mod log;
mod problem;
mod rule;
mod secret;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Spanned;

pub use backend::{Backend, Kind};
pub use host::HostName;
pub use log::{Log, LogFormat, LogLevel};
pub use problem::Problem;
pub use rule::Rule;
pub use secret::{Secret, SecretError};
pub use value::{
    BackendUrl, Name, NotYet, Pause, RepositoryUrl, Retention, RoutePath, TimeZoneName, Timeout,
};

use crate::domain::address::text_without_credentials;
use crate::domain::catalog::Catalog;
use crate::domain::policy::{Policy, Reopened, ServiceEntry, Start, WhichService};
use crate::domain::rule::TOO_SHORT;

/// `config.example.toml`, which is also what the program does without a file.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Where the file is looked for when nobody names one.
const PLACES: [&str; 2] = ["/etc/pagerduty-dora/config.toml", "config.toml"];

/// The whole configuration, as it holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file it was read from; `None`: there was none, and the defaults hold.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// What PagerDuty and the deployment pipelines reach.
    pub server: Server,
    /// Health, metrics, JSON API.
    pub admin: Admin,
    /// What is written to standard error.
    pub log: Log,
    /// Where everything is kept.
    pub store: Store,
    /// The webhooks.
    pub pagerduty: PagerDuty,
    /// How an incident becomes a failure.
    pub failure: Failure,
    /// The event API.
    pub events_api: EventsApi,
    /// The figures.
    pub dora: Dora,
    /// Which incidents count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<Rule>,
    /// What PagerDuty's services are called here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Service>,
    /// Who is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backend: Vec<Backend>,
}

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The public address.
    #[serde(deserialize_with = "value::socket_address")]
    pub listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<NotYet>,
}

/// `[admin]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// The admin address.
    #[serde(deserialize_with = "value::socket_address")]
    pub listen: SocketAddr,
    /// Host names that it answers to beside loopback and its own address.
    pub hosts: Vec<HostName>,
}

/// `[store]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The SQLite file.
    pub path: PathBuf,
    /// How long raw bodies are kept.
    pub retention: Retention,
}

/// `[pagerduty]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagerDuty {
    /// The webhook's route.
    pub path: RoutePath,
    /// Any of them may have signed.
    pub signing_secrets: Vec<Secret>,
    /// What is answered to a wrong signature.
    pub unverified: Unverified,
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<NotYet>,
}

/// `pagerduty.unverified`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unverified {
    /// 401: PagerDuty drops the event.
    #[default]
    Refuse,
    /// 503: PagerDuty keeps trying for 48 hours.
    Retry,
}

/// `[failure]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failure {
    /// What counts as the start.
    pub start: Start,
    /// How reopened incidents are timed.
    pub reopened: Reopened,
    /// How long after its end a failure is told.
    pub settle: Pause,
    /// What ended sooner does not count.
    pub min_duration: Pause,
    /// The env where nothing else says one.
    pub default_env: Name,
    /// Which service counts.
    pub service: WhichService,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    catalog: Vec<Name>,
    /// Priority → severity.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub severity: BTreeMap<String, Name>,
}

/// `[events_api]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsApi {
    /// What `DD-API-KEY` may hold; none: the API is off.
    pub keys: Vec<Secret>,
}

/// `[dora]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dora {
    /// How long before a failure a deployment may have caused it; for the figures to come.
    pub link_window: Pause,
    /// Where days begin.
    pub timezone: TimeZoneName,
}

/// `[[service]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Id, exact name or URL.
    pub pagerduty: Name,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    services: Vec<Name>,
    team: Option<Name>,
    env: Option<Name>,
    repository_url: Option<RepositoryUrl>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Name>,
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: loopback(8080), tls: None }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: loopback(8081), hosts: Vec::new() }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { path: "pagerduty-dora.db".into(), retention: Retention::default() }
    }
}

impl Default for PagerDuty {
    fn default() -> Self {
        Self {
            path: RoutePath::default(),
            signing_secrets: vec![Secret::Env { env: "PAGERDUTY_SIGNING_SECRET".into() }],
            unverified: Unverified::Refuse,
            api: None,
        }
    }
}

impl Default for Failure {
    fn default() -> Self {
        Self {
            start: Start::default(),
            reopened: Reopened::default(),
            settle: Pause::written("0s", 0),
            min_duration: Pause::written("0s", 0),
            default_env: Name::from_static("production"),
            service: WhichService::default(),
            catalog: Vec::new(),
            severity: BTreeMap::new(),
        }
    }
}

impl Default for Dora {
    fn default() -> Self {
        Self { link_window: Pause::written("24h", 86_400), timezone: TimeZoneName::default() }
    }
}

impl Config {
    /// Reads the file that was named, else the first that is found; where there is none, the defaults hold.
    pub fn load(named: Option<&Path>) -> Result<Self, Problem> {
        let found = || PLACES.iter().map(Path::new).find(|place| place.exists());
        match named.or_else(found) {
            Some(file) => Self::read(file),
            None => Ok(Self::default()),
        }
    }

    /// Reads this file.
    pub fn read(file: &Path) -> Result<Self, Problem> {
        let text = std::fs::read_to_string(file).map_err(|error| Problem::unreadable(file, &error))?;
        let mut config = Self::parse(&text).map_err(|problem| problem.in_file(file, &text))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        config.resolve_paths(folder);
        config.file = Some(file.to_owned());
        Ok(config)
    }

    /// Where a mistake stands that showed only when a value was used.
    #[must_use]
    pub fn locate(&self, problem: Problem) -> Problem {
        let Some(file) = &self.file else {
            return problem;
        };
        problem.in_file(file, &std::fs::read_to_string(file).unwrap_or_default())
    }

    /// Reads a configuration from its text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let config: Self = toml::from_str(text).map_err(|error| Problem::from_toml(&error, text))?;
        let of_backends = config.backend.iter().map(|backend| &backend.name);
        check_unique("backend", of_backends, text)?;
        check_unique("rule", config.rule.iter().map(|rule| &rule.name), text)?;
        config.backend.iter().try_for_each(|backend| backend.check(text))?;
        if config.server.listen == config.admin.listen && config.admin.listen.port() != 0 {
            let said = format!("must not be admin.listen, too ({})", config.admin.listen);
            return Err(Problem::with_key("server.listen", said));
        }
        let reserved = config.rule.iter().find(|rule| rule.name.get_ref().as_str() == TOO_SHORT);
        if let Some(rule) = reserved {
            let said = "is the reason shown for what was over too soon: choose another name";
            return Err(Problem::at(text, rule.name.span(), said));
        }
        Ok(config)
    }

    /// Relative paths start at the folder of the file that names them.
    fn resolve_paths(&mut self, folder: &Path) {
        self.store.path = folder.join(&self.store.path);
        let of_backends = self.backend.iter_mut().flat_map(Backend::secrets_mut);
        let secrets = self.pagerduty.signing_secrets.iter_mut().chain(&mut self.events_api.keys);
        secrets.chain(of_backends).for_each(|secret| secret.resolve_path(folder));
    }

    /// What names the catalog files, from the folder of the configuration on.
    pub fn catalog_patterns(&self) -> impl Iterator<Item = String> {
        // The folder is no pattern, whatever it is called.
        let folder = match self.file.as_deref().and_then(Path::parent).map(Path::to_string_lossy) {
            Some(folder) if !folder.is_empty() => glob::Pattern::escape(&folder) + "/",
            _ => String::new(),
        };
        let from_folder = move |pattern: &Name| match pattern.as_str() {
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            relative => format!("{folder}{relative}"),
        };
        self.failure.catalog.iter().map(from_folder)
    }

    /// What was decided about failures; the catalog is read by `catalog`.
    pub fn policy(&self) -> Policy {
        let strings = |names: &[Name]| names.iter().map(|name| name.as_str().to_owned()).collect();
        let string = |name: &Option<Name>| name.as_ref().map(|name| name.as_str().to_owned());
        let entry = |service: &Service| ServiceEntry {
            pagerduty: service.pagerduty.as_str().to_owned(),
            services: strings(&service.services),
            team: string(&service.team),
            env: string(&service.env),
            repository_url: service.repository_url.as_ref().map(|url| url.as_str().to_owned()),
            tags: service
                .tags
                .iter()
                .map(|tag| text_without_credentials(tag.as_str()).into_owned())
                .collect(),
        };
        let severity =
            |(priority, severity): (&String, &Name)| (priority.clone(), severity.as_str().to_owned());
        Policy {
            start: self.failure.start,
            reopened: self.failure.reopened,
            min_duration: self.failure.min_duration.get(),
            settle: self.failure.settle.get(),
            rules: self.rule.iter().map(Rule::to_domain).collect(),
            service: self.failure.service,
            default_env: self.failure.default_env.as_str().to_owned(),
            severities: self.failure.severity.iter().map(severity).collect(),
            services: self.service.iter().map(entry).collect(),
            catalog: Catalog::default(),
        }
    }

    /// The configuration as it holds, with no secret in it.
    pub fn show(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

/// Names that people tell things apart by.
fn check_unique<'a>(
    thing: &str,
    names: impl Iterator<Item = &'a Spanned<Name>>,
    text: &str,
) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name.get_ref().as_str()) {
            let said = format!("another {thing} is called {:?}: names must be unique", name.get_ref());
            return Err(Problem::at(text, name.span(), &said));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
