//! Differences between two configurations, by key. Values are not shown, because they may be secrets.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use toml::{Table, Value};

use super::regular_file::check_regular_file;
use super::secret_form::KEYS;
use super::store::{STORE_AUTHORITY, STORE_PASSWORD};
use super::tls::TlsSection;
use super::{Config, Secret};

/// Keys whose values take effect only at a start.
const NEED_RESTART: [&str; 9] = [
    "admin.listen",
    "server.listen",
    STORE_AUTHORITY,
    "store.durable",
    STORE_PASSWORD,
    "store.path",
    "store.read_url",
    "store.replica",
    "store.url",
];

/// Result of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Keys whose values have changed, and took effect.
    pub changed: Vec<String>,
    /// Keys whose values have changed, and take effect at the next start.
    pub needs_restart: Vec<String>,
}

impl Reloaded {
    /// `true` if nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.needs_restart.is_empty()
    }

    /// Adds a key whose value was changed by a file that the configuration names.
    pub(crate) fn add(&mut self, key: &str) {
        if !self.touches(key) {
            self.changed.push(key.to_owned());
            self.changed.sort();
        }
    }

    /// `true` if a backend of this name was changed, added or removed.
    pub(crate) fn touches_backend(&self, name: &str) -> bool {
        self.touches(&backend_key(name))
    }

    /// `true` if a key has changed that is `key`, or is under it.
    pub(crate) fn touches(&self, key: &str) -> bool {
        let is_under = |changed: &String| {
            changed
                .strip_prefix(key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with(' '))
        };
        self.changed.iter().any(is_under)
    }
}

/// Key of a backend, as `compare` writes it.
fn backend_key(name: &str) -> String {
    format!("backend {name:?}")
}

/// Values of a configuration that are never shown, by key: secrets, the contents of certificate files, and addresses,
/// which may hold credentials. Those that cannot be fetched are left out.
#[derive(Debug, Default)]
pub(crate) struct UnshownValues(BTreeMap<String, Vec<SecretString>>);

impl UnshownValues {
    /// Fetches the secrets.
    pub(crate) fn of(config: &Config) -> Self {
        let mut values = Self::default();
        for (key, secret) in config.secrets() {
            values.0.entry(key).or_default().extend(secret.fetch(1).ok());
        }
        let certificate_authority = config.outgoing.certificate_authority.as_deref();
        let of_outgoing = certificate_authority.map(|file| ("outgoing.certificate_authority", file));
        let of_store = config.store.certificate_authority.as_deref().map(|file| (STORE_AUTHORITY, file));
        let of_server = config.server.tls.iter().flat_map(TlsSection::files);
        for (key, file) in of_server.chain(of_outgoing).chain(of_store) {
            let content = check_regular_file(file)
                .and_then(|()| std::fs::read(file))
                .ok()
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned().into());
            values.0.entry(key.to_owned()).or_default().extend(content);
        }
        let proxy =
            config.outgoing.proxy.iter().map(|proxy| ("outgoing.proxy".to_owned(), proxy.get().to_string()));
        let of_backends = config.backend.iter().map(|entry| {
            (format!("{}.url", backend_key(entry.name.get_ref().as_str())), entry.url.get().to_string())
        });
        for (key, address) in proxy.chain(of_backends) {
            values.0.entry(key).or_default().push(address.into());
        }
        values
    }

    /// Takes over the running values of those keys that only a restart can change.
    pub(crate) fn keep_until_restart(&mut self, running: &Self) {
        for key in NEED_RESTART {
            match running.0.get(key) {
                Some(values) => drop(self.0.insert(key.to_owned(), values.clone())),
                None => drop(self.0.remove(key)),
            }
        }
    }

    /// Keys under which the values differ.
    pub(crate) fn changes(&self, new: &Self) -> BTreeSet<String> {
        let of = |values: &Self, key: &str| -> Vec<String> {
            let values = values.0.get(key).into_iter().flatten();
            values.map(|value| value.expose_secret().to_owned()).collect()
        };
        let keys: BTreeSet<&String> = self.0.keys().chain(new.0.keys()).collect();
        keys.into_iter().filter(|key| of(self, key) != of(new, key)).cloned().collect()
    }
}

impl Config {
    /// All secrets, with their keys.
    fn secrets(&self) -> impl Iterator<Item = (String, &Secret)> {
        let of_lists = self
            .secret_lists()
            .into_iter()
            .flat_map(|list| list.secrets.iter().map(move |secret| (list.key.to_owned(), secret)));
        let of_api = self.pagerduty.api.iter().map(|api| ("pagerduty.api.token".to_owned(), &api.token));
        let of_store = self.store.password.iter().map(|secret| (STORE_PASSWORD.to_owned(), secret));
        let of_deployments = self.deployment_tokens().map(|(key, token)| (key.to_owned(), token));
        let of_backends = self.backend.iter().flat_map(|entry| {
            let name = entry.name.get_ref().as_str();
            entry.secrets().map(move |(key, secret)| (format!("{}.{key}", backend_key(name)), secret))
        });
        of_lists.chain(of_api).chain(of_store).chain(of_deployments).chain(of_backends)
    }

    /// Differences from this configuration, with which the daemon runs, to a new one. `unshown`: keys whose values differ
    /// and are never shown.
    ///
    /// # Errors
    /// A configuration cannot be written as TOML: a fault of this program.
    pub(crate) fn changes(
        &self,
        new: &Self,
        unshown: BTreeSet<String>,
    ) -> Result<Reloaded, toml::ser::Error> {
        let mut keys = unshown;
        compare("", &Table::try_from(self)?.into(), &Table::try_from(new)?.into(), &mut keys);
        let is_under_another =
            |key: &String| key.match_indices('.').any(|(end, _)| keys.contains(&key[..end]));
        let topmost = keys.iter().filter(|key| !is_under_another(key)).cloned();
        let (needs_restart, changed) = topmost.partition(|key| NEED_RESTART.contains(&key.as_str()));
        Ok(Reloaded { changed, needs_restart })
    }

    /// Takes over the values of the running configuration that only a restart can change.
    pub(crate) fn keep_until_restart(&mut self, running: &Self) {
        self.admin.listen = running.admin.listen;
        self.server.listen = running.server.listen;
        self.store.keep_until_restart(&running.store);
    }
}

/// A list without entries.
const NO_ENTRIES: Value = Value::Array(Vec::new());

/// Adds the keys under which two values differ.
fn compare(key: &str, old: &Value, new: &Value, keys: &mut BTreeSet<String>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Table(old), Value::Table(new)) if !is_secret(old) && !is_secret(new) => {
            let under = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
            compare_all(under, entries(old), entries(new), keys);
        }
        (Value::Array(old_list), Value::Array(new_list)) => {
            let (Some(old), Some(new)) = (by_name(old_list), by_name(new_list)) else {
                keys.insert(key.to_owned());
                return;
            };
            // The first rule that fits decides, so their order matters.
            let order = |these: &Entries<'_>, others: &Entries<'_>| -> Vec<String> {
                let is_common = |name: &&String| others.iter().any(|(other, _)| other == *name);
                these.iter().map(|(name, _)| name).filter(is_common).cloned().collect()
            };
            if order(&old, &new) != order(&new, &old) {
                keys.insert(key.to_owned());
            }
            compare_all(|name| format!("{key} {name:?}"), old, new, keys);
        }
        _ => {
            keys.insert(key.to_owned());
        }
    }
}

/// Entries of a table, or of a list whose entries have names.
type Entries<'a> = Vec<(String, &'a Value)>;

fn compare_all(
    key: impl Fn(&str) -> String,
    old: Entries<'_>,
    new: Entries<'_>,
    keys: &mut BTreeSet<String>,
) {
    let new: BTreeMap<_, _> = new.into_iter().collect();
    let old: BTreeMap<_, _> = old.into_iter().collect();
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => compare(&key(name), old, new, keys),
            // An empty list is not written.
            (None, Some(new @ Value::Array(_))) => compare(&key(name), &NO_ENTRIES, new, keys),
            (Some(old @ Value::Array(_)), None) => compare(&key(name), old, &NO_ENTRIES, keys),
            _ => {
                keys.insert(key(name));
            }
        }
    }
}

fn entries(table: &Table) -> Entries<'_> {
    table.iter().map(|(name, value)| (name.clone(), value)).collect()
}

/// Entries of a list, by their names. `None` if one has no name. An entry of `[[service]]` is named by the service of
/// PagerDuty.
fn by_name(list: &[Value]) -> Option<Entries<'_>> {
    let name = |entry: &Value| {
        let table = entry.as_table()?;
        table.get("name").or_else(|| table.get("pagerduty"))?.as_str().map(str::to_owned)
    };
    let named: Entries<'_> = list.iter().map(|entry| Some((name(entry)?, entry))).collect::<Option<_>>()?;
    // Names that repeat would hide each other.
    let is_unique = named.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len() == named.len();
    is_unique.then_some(named)
}

/// `true` for the source of a secret.
fn is_secret(table: &Table) -> bool {
    table.len() == 1 && table.keys().all(|key| KEYS.contains(&key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes from one text to another.
    fn changes(old: &str, new: &str) -> Reloaded {
        let (old, new) = (Config::parse(old).unwrap(), Config::parse(new).unwrap());
        let unshown = UnshownValues::of(&old).changes(&UnshownValues::of(&new));
        old.changes(&new, unshown).unwrap()
    }

    fn keys(old: &str, new: &str) -> String {
        changes(old, new).changed.join(", ")
    }

    #[test]
    fn keys_are_named_and_values_are_not() {
        assert!(changes("", "").is_empty());
        assert!(
            changes("", "[log]\nlevel = \"info\"\n").is_empty(),
            "a default that is written is no change"
        );
        assert_eq!(keys("", "[log]\nlevel = \"warn\"\n"), "log.level");
        assert_eq!(keys("[dora]\ntimezone = \"Europe/Berlin\"\n", ""), "dora.timezone");
        assert_eq!(keys("", "[failure.severity]\nP1 = \"SEV-1\"\n"), "failure.severity");
        let api = "[pagerduty.api]\ntoken = { value = \"canary\" }\n";
        assert_eq!(keys("", api), "pagerduty.api");
        let secret = |value: &str| format!("[pagerduty]\nsigning_secrets = [{{ value = \"{value}\" }}]\n");
        assert_eq!(
            keys(&secret("canary-0123456789"), &secret("canary-9876543210")),
            "pagerduty.signing_secrets"
        );
    }

    #[test]
    fn entries_of_lists_are_named() {
        let rule = |name: &str, urgency: &str| {
            format!("[[rule]]\nname = \"{name}\"\nurgency = [\"{urgency}\"]\naction = \"ignore\"\n")
        };
        let (a, b) = (rule("a", "low"), rule("b", "low"));
        assert_eq!(keys(&a, &format!("{a}{b}")), "rule \"b\"");
        assert_eq!(keys("", &a), "rule \"a\"");
        assert_eq!(keys(&format!("{a}{b}"), &a), "rule \"b\"");
        assert_eq!(keys(&a, &rule("a", "high")), "rule \"a\".urgency");
        assert_eq!(keys(&format!("{a}{b}"), &format!("{b}{a}")), "rule");
    }

    #[test]
    fn listeners_and_the_path_of_the_store_need_a_restart() {
        let new = "[server]\nlisten = \"127.0.0.1:1\"\n[admin]\nlisten = \"127.0.0.1:2\"\nhosts = [\"dora\"]\n[store]\npath = \"x\"\n";
        let changes = changes("", new);
        assert_eq!(changes.needs_restart, ["admin.listen", "server.listen", "store.path"]);
        assert_eq!(changes.changed, ["admin.hosts"]);
        assert!(changes.touches("admin") && changes.touches("admin.hosts") && !changes.touches("adm"));
    }

    #[test]
    fn a_database_needs_a_restart_and_the_retention_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        std::fs::write(&authority, "a").unwrap();
        let text = |password: &str, retention: &str| {
            format!(
                "[store]\nurl = \"postgres://db\"\npassword = {{ value = \"{password}\" }}\nretention = \"{retention}\"\n\
                 certificate_authority = {authority:?}\n"
            )
        };
        let old = Config::parse(&text("canary", "30d")).unwrap();
        let old_values = UnshownValues::of(&old);
        std::fs::write(&authority, "b").unwrap();
        let more = "read_url = \"postgres://db2\"\nreplica = \"b\"\ndurable = \"server\"\n";
        let new = text("canary2", "31d").replace("//db\"", "//db3\"") + more;
        let mut new = Config::parse(&new).unwrap();
        let mut new_values = UnshownValues::of(&new);
        let changes = old.changes(&new, old_values.changes(&new_values)).unwrap();
        assert_eq!(changes.changed, ["store.retention"]);
        let keys = ["certificate_authority", "durable", "password", "read_url", "replica", "url"];
        assert_eq!(changes.needs_restart, keys.map(|key| format!("store.{key}")));

        new.keep_until_restart(&old);
        new_values.keep_until_restart(&old_values);
        let left = old.changes(&new, old_values.changes(&new_values)).unwrap();
        assert_eq!((left.changed, left.needs_restart), (vec!["store.retention".to_owned()], Vec::new()));
        let moved = Config::parse("[store]\npath = \"x.db\"\n").unwrap();
        let changes = moved.changes(&old, BTreeSet::new()).unwrap();
        assert!(changes.needs_restart.contains(&"store.path".to_owned()), "{changes:?}");
    }
}
