//! `[store]`: the file of the store, or its database of PostgreSQL.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use super::secret::Secret;
use super::store_url::StoreUrl;
use super::value::{self, Name, Retention};

/// Dotted configuration key of the password of the database.
pub(crate) const STORE_PASSWORD: &str = "store.password";
/// Dotted configuration key of the file with the certificates that the server is verified with.
pub(crate) const STORE_AUTHORITY: &str = "store.certificate_authority";

/// File of the store if nothing else is configured.
const DEFAULT_PATH: &str = "pagerduty-dora.db";

/// `[store]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// SQLite file. `None` if the store is a database of PostgreSQL.
    // Not the default of the whole section: a database has no file.
    #[serde(default, deserialize_with = "value::store_path", skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Time that raw bodies are kept.
    pub retention: Retention,
    /// Database of PostgreSQL. `None`: the store is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<StoreUrl>,
    /// Password of the database's user. `None`: from PostgreSQL's password file, or the server asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// PEM file with the certificates that the server's certificate is verified with. `None`: those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<PathBuf>,
    /// Database that listings and figures are read from, which may lag. `None`: they are read at `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_url: Option<StoreUrl>,
    /// Name of this daemon among those that share the database. `None`: the name of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<Name>,
    /// Condition on a commit before a webhook is answered 2xx. `None`: the server's commit is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable: Option<StoreDurability>,
}

/// `store.durable`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreDurability {
    /// The server says that it has committed.
    #[default]
    Server,
    /// A synchronous standby has it, too.
    Replicated,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            path: Some(DEFAULT_PATH.into()),
            retention: Retention::default(),
            url: None,
            password: None,
            certificate_authority: None,
            read_url: None,
            replica: None,
            durable: None,
        }
    }
}

impl StoreSection {
    /// Keys that only a database has and that are set. The password and the certificates are not among them, because
    /// `store copy --to URL` needs them while the store is still a file.
    fn keys_of_database(&self) -> impl Iterator<Item = &'static str> {
        [
            ("store.read_url", self.read_url.is_some()),
            ("store.replica", self.replica.is_some()),
            ("store.durable", self.durable.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, is_set)| is_set.then_some(key))
    }

    /// Checks that the store is either a file or a database. `is_url_refused`: there was a URL with a mistake.
    pub(super) fn check(&self, is_url_refused: bool, findings: &mut Findings<'_>) {
        if self.url.is_some() && self.path.is_some() {
            findings.about(
                "store.url",
                "a store is a database or a file, and store.path is set, too: remove one of the two",
            );
        }
        if self.url.is_none() && !is_url_refused {
            for key in self.keys_of_database() {
                findings
                    .about(key, "is only for a database of PostgreSQL: set store.url, or remove this key");
            }
        }
    }

    /// Names the default file if neither a file nor a database was configured.
    pub(super) fn complete(&mut self) {
        if self.url.is_none() && self.path.is_none() {
            self.path = Some(DEFAULT_PATH.into());
        }
    }

    /// Makes relative paths start at `folder`.
    pub(super) fn resolve_paths(&mut self, folder: &Path) {
        for file in self.path.iter_mut().chain(&mut self.certificate_authority) {
            *file = folder.join(&*file);
        }
        self.password.iter_mut().for_each(|secret| secret.resolve_path(folder));
    }

    /// Takes over the values of the running configuration that only a restart can change: all but the retention.
    pub(super) fn keep_until_restart(&mut self, running: &Self) {
        *self = Self { retention: self.retention.clone(), ..running.clone() };
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::{Config, EXAMPLE};

    const DATABASE: &str = "[store]\nurl = \"postgres://dora@db1,db2/dora\"\npassword = { value = \"canary\" }\n\
         certificate_authority = \"ca.pem\"\nread_url = \"postgres://dora@db3/dora\"\nreplica = \"host-1\"\n\
         durable = \"replicated\"\n";

    #[test]
    fn a_store_is_a_file_unless_a_database_is_configured() {
        for text in
            ["", "[store]\n", "[store]\nretention = \"30d\"\n", "[store]\npath = \"pagerduty-dora.db\"\n"]
        {
            let store = Config::parse(text).unwrap().store;
            assert_eq!((store.path, store.url), (Some("pagerduty-dora.db".into()), None), "{text}");
        }
        let store = Config::parse(DATABASE).unwrap().store;
        assert_eq!(store.path, None);
        assert_eq!(store.url.unwrap().as_str(), "postgres://dora@db1,db2/dora");
        assert_eq!(store.durable, Some(StoreDurability::Replicated));
    }

    #[test]
    fn a_database_is_shown_without_its_password() {
        let config = Config::parse(DATABASE).unwrap();
        assert_eq!(config.fetch_store_password().unwrap().unwrap().expose_secret(), "canary");
        let shown = config.show().unwrap();
        assert!(!shown.contains("canary") && !format!("{config:?}").contains("canary"), "{shown}");
        for expected in ["url = \"postgres://dora@db1,db2/dora\"", "durable = \"replicated\"", "[redacted]"] {
            assert!(shown.contains(expected), "{expected}: {shown}");
        }
        assert!(!shown.contains("pagerduty-dora.db"), "{shown}");
        assert_eq!(Config::parse(&shown).unwrap().show().unwrap(), shown);
    }

    #[test]
    fn the_example_has_every_key() {
        let table = toml::Table::try_from(Config::parse(DATABASE).unwrap().store).unwrap();
        let (_, section) = EXAMPLE.split_once("\n[store]\n").unwrap();
        let (section, _) = section.split_once("\n[").unwrap();
        let is_listed = |key: &str| {
            section.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} = ")))
        };
        assert!(
            table.len() == 7 && table.keys().chain([&"path".to_owned()]).all(|key| is_listed(key)),
            "{table:?}"
        );
        // The commented lines are a configuration, too.
        let lines = section
            .lines()
            .filter(|line| !line.starts_with("path"))
            .map(|line| line.trim_start_matches("# "));
        let lines: Vec<&str> =
            lines.filter(|line| !line.starts_with('#') && !line.trim_start().starts_with('#')).collect();
        let config = Config::parse(&format!("[store]\n{}\n", lines.join("\n"))).unwrap();
        assert_eq!(config.store.durable, Some(StoreDurability::default()));
    }

    #[test]
    fn files_start_at_the_folder_of_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, DATABASE.replace("value = \"canary\"", "file = \"password\"")).unwrap();
        std::fs::write(folder.path().join("password"), "canary\n").unwrap();
        let config = Config::read(&file).unwrap();
        assert_eq!(config.store.certificate_authority, Some(folder.path().join("ca.pem")));
        assert_eq!(config.fetch_store_password().unwrap().unwrap().expose_secret(), "canary");
    }

    #[test]
    fn mistakes_are_reported_with_their_place() {
        for (lines, expected) in [
            (
                "path = \"x.db\"\nurl = \"postgres://db\"",
                "line 3: store.url: a store is a database or a file",
            ),
            ("read_url = \"postgres://db\"", "line 2: store.read_url: is only for a database"),
            ("replica = \"a\"", "line 2: store.replica: is only for a database"),
            ("durable = \"server\"", "line 2: store.durable: is only for a database"),
            (
                "path = \"postgres://me:canary@db\"",
                "line 2: store.path: must be the path of a file: a database",
            ),
            ("url = \"postgres://me:canary@db\"", "line 2: store.url: must not hold a password"),
            ("url = \"postgres://me:canary\"", "line 2: store.url: a port must be a number"),
            ("url = \"postgres://db?sslmode=prefer\"", "line 2: store.url: has sslmode=prefer"),
            ("url = \"postgres://\"\nreplica = \"a\"", "line 2: store.url: \"postgres://\" must name a host"),
            (
                "url = \"postgres://db\"\npassword = \"canary\"",
                "line 3: store.password: must name the source",
            ),
            (
                "url = \"postgres://db\"\ndurable = \"yes\"",
                "line 3: store.durable: \"yes\" is not known. Allowed: server, ",
            ),
        ] {
            let message = Config::parse(&format!("[store]\n{lines}\n")).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("canary") && message.lines().count() == 1, "{message}");
        }
    }
}
