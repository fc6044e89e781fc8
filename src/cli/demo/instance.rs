//! Daemons in this process, and the configurations of the two daemons of the demo.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use glob::Pattern;
use reqwest::Url;
use serde::de::DeserializeOwned;

use super::datadog;
use super::story::{CATALOG, STORY_CONFIG};
use crate::Embedded;
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::domain::failure::Failure;
use crate::http::{FailurePageJson, StoryJson};
use crate::http_client;
use crate::random;
use crate::store::{FailurePage, ListedFailure, OutboxPage, OutboxRow, Story};

/// Longest wait for an answer, and for all rows to be sent. A busy machine may need more than a few seconds.
pub(super) const MAX_WAIT: Duration = Duration::from_mins(1);
/// Name of the backend that is another copy of the program.
pub(super) const METRICS: &str = "metrics";
/// Pause between two looks at the outbox or the clock.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Daemon in this process, with a client for it.
pub(super) struct Instance {
    daemon: Embedded,
    pub(super) client: reqwest::Client,
}

impl Instance {
    pub(super) async fn start(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let daemon = Embedded::start(config, clock).await?;
        let client = http_client::client(MAX_WAIT, &Url::parse(&format!("http://{}", daemon.admin))?)?;
        Ok(Self { daemon, client })
    }

    pub(super) fn webhooks(&self) -> anyhow::Result<Url> {
        let path = Config::default().pagerduty.path;
        Ok(Url::parse(&format!("http://{}{}", self.daemon.public, path.as_str()))?)
    }

    pub(super) fn dashboard(&self) -> String {
        format!("http://{}/", self.daemon.admin)
    }

    pub(super) fn events_api_url(&self, kind: &str) -> String {
        self.public_url(&format!("/api/v2/dora/{kind}"))
    }

    /// Address of a path of the public listener.
    pub(super) fn public_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.daemon.public)
    }

    pub(super) fn api(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.daemon.admin)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.client.get(self.api(path)).send().await?.text().await?;
        Ok(serde_json::from_str(&answer)?)
    }

    pub(super) async fn failures(&self) -> anyhow::Result<Vec<ListedFailure>> {
        Ok(FailurePage::from(self.get::<FailurePageJson<'_>>("failures?limit=1000").await?).failures)
    }

    pub(super) async fn outbox(&self) -> anyhow::Result<Vec<OutboxRow>> {
        Ok(self.get::<OutboxPage>("outbox?limit=1000").await?.rows)
    }

    pub(super) async fn story(&self, failure: &Failure) -> anyhow::Result<Story> {
        Ok(self.get::<StoryJson<'_>>(&format!("failures/{}", failure.id)).await?.into())
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.daemon.stop().await
    }
}

/// Addresses that a daemon listens on.
#[derive(Clone, Copy)]
pub(super) struct Listen {
    public: SocketAddr,
    admin: SocketAddr,
}

impl Listen {
    /// Usual ports, or `public` for the public listener if given. A usual port that is taken is replaced by a free one.
    pub(super) fn usual(public: Option<SocketAddr>) -> Self {
        let usual = Config::default();
        Self { public: public.unwrap_or_else(|| free(usual.server.listen)), admin: free(usual.admin.listen) }
    }

    /// Ports that the system chooses, or `public` for the public listener if given.
    pub(super) fn any(public: Option<SocketAddr>) -> Self {
        Self { public: public.unwrap_or(ANY), admin: ANY }
    }
}

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn free(usual: SocketAddr) -> SocketAddr {
    if TcpListener::bind(usual).is_ok() { usual } else { ANY }
}

/// `true` if a daemon did not start because its port is taken.
pub(super) fn is_taken(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Writes a random secret to a file that only this user can read.
pub(super) fn write_secret(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    write(folder, name, &random::secret()?)
}

/// Writes a random signing token, as GitLab has them, to such a file.
pub(super) fn write_signing_token(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    write(folder, name, &format!("whsec_{}", BASE64_STANDARD.encode(random::secret()?)))
}

fn write(folder: &Path, name: &str, secret: &str) -> anyhow::Result<PathBuf> {
    let file = folder.join(name);
    let mut created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
    created.write_all(secret.as_bytes())?;
    Ok(file)
}

/// Secret in a file of the demo.
pub(super) fn secret_of(file: &Path) -> Secret {
    Secret::File { file: file.to_owned() }
}

pub(super) fn backend_config(folder: &Path, secret: &Path, key: &Path) -> Config {
    let mut config = Config::default();
    config.server.listen = ANY;
    config.admin.listen = ANY;
    config.store.path = Some(folder.join("backend.db"));
    config.pagerduty.signing_secrets = vec![secret_of(secret)];
    config.events_api.keys = vec![secret_of(key)];
    config
}

pub(super) fn daemon_config(
    folder: &Path,
    (secret, signing_token): (&Path, &Path),
    key: &Path,
    listen: Listen,
    (backend, pagerduty_api, datadog): (&Instance, SocketAddr, SocketAddr),
) -> anyhow::Result<Config> {
    let key_file = key.to_string_lossy();
    let entry = format!(
        "[[backend]]\nname = \"{METRICS}\"\nkind = \"datadog\"\nurl = \"http://{}\"\ndeployments = true\n\
         api_key = {{ file = {key_file:?} }}\napplication_key = {{ file = {key_file:?} }}\n",
        backend.daemon.public
    );
    let datadog = datadog::entries(datadog, &key_file);
    let catalog = folder.join("catalog.yaml");
    std::fs::write(&catalog, CATALOG)?;
    let catalog = Pattern::escape(&catalog.to_string_lossy());
    let failure = format!("[failure]\nmin_duration = \"1m\"\nsettle = \"5m\"\ncatalog = [{catalog:?}]\n");
    // The incidents are compared once at the start and again only after a gap, so that each run prints the same.
    let api = format!(
        "[pagerduty.api]\nurl = \"http://{pagerduty_api}\"\ntoken = {{ file = {key_file:?} }}\n\
         reconcile_every = \"1d\"\nrequests_per_minute = 960\n"
    );
    let (secret_file, token_file) = (secret.to_string_lossy(), signing_token.to_string_lossy());
    let forges = format!(
        "[github]\nsigning_secrets = [{{ file = {secret_file:?} }}]\n[gitlab]\nsigning_secrets = [{{ file = {token_file:?} }}]\n"
    );
    let mut config =
        Config::parse(&format!("{failure}\n{STORY_CONFIG}\n{entry}\n{datadog}\n{api}\n{forges}"))?;
    config.server.listen = listen.public;
    config.admin.listen = listen.admin;
    config.events_api.keys = vec![secret_of(key)];
    config.store.path = Some(folder.join("daemon.db"));
    config.pagerduty.signing_secrets = vec![secret_of(secret)];
    Ok(config)
}
