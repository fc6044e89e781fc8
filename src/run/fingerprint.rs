//! Fingerprint of a daemon: of its version, and of what its configuration decides.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::config::{BackendSection, Config, Problem};
use crate::domain::policy::Policy;

/// Fingerprint of this version of the program with this configuration, as a hexadecimal number. `policy` is that of the
/// configuration, with its catalog.
///
/// Replicas with the same fingerprint decide the same. Those with another one let the one that was started last decide.
/// So it has the policy and the backends, and nothing that may differ between hosts: listeners, the log, the store, the
/// way to a proxy, and secrets with the places where they are.
///
/// # Errors
/// A backend cannot be written as TOML: a fault of this program.
pub(super) fn of_configuration(config: &Config, policy: &Policy) -> Result<Arc<str>, Problem> {
    fingerprint(config, policy).map_err(|error| Problem::with_key("configuration", error.to_string()))
}

fn fingerprint(config: &Config, policy: &Policy) -> Result<Arc<str>, toml::ser::Error> {
    let mut hash = Sha256::new();
    hash.update(env!("PAGERDUTY_DORA_VERSION"));
    // The policy has no map whose order is by chance.
    hash.update(format!("\n{policy:?}\n"));
    for entry in &config.backend {
        hash.update(toml::to_string(&without_secrets(entry)?)?);
        hash.update("\n");
    }
    Ok(hex::encode(hash.finalize()).into())
}

fn without_secrets(entry: &BackendSection) -> Result<Table, toml::ser::Error> {
    let mut table = Table::try_from(entry)?;
    for (key, _) in entry.secrets() {
        // Having one at all may decide: without an application key nothing is deleted.
        table.insert(key.to_owned(), Value::Boolean(true));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    fn of(text: &str) -> String {
        let config = Config::parse(text).unwrap();
        fingerprint(&config, &config.policy()).unwrap().to_string()
    }

    const BACKEND: &str =
        "[[backend]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://a\"\nsigning_secret = { env = \"A\" }\n";

    #[test]
    fn it_is_a_hexadecimal_number_of_what_decides() {
        let plain = of("");
        assert!(plain.len() == 64 && plain.bytes().all(|byte| byte.is_ascii_hexdigit()), "{plain}");
        let many = "[failure.severity]\nP1 = \"a\"\nP2 = \"b\"\nP3 = \"c\"\nP4 = \"d\"\n";
        let turned = "[failure.severity]\nP4 = \"d\"\nP3 = \"c\"\nP2 = \"b\"\nP1 = \"a\"\n";
        assert_eq!(of(many), of(turned));
        let different = [
            "",
            many,
            BACKEND,
            "[dora]\nlink_window = \"1h\"\n",
            "[failure]\nsettle = \"1m\"\n",
            "[[rule]]\nname = \"a\"\naction = \"ignore\"\nurgency = [\"low\"]\n",
            "[[service]]\npagerduty = \"PSVC001\"\nteam = \"a\"\n",
            "[[deployment]]\nname = \"a\"\naction = \"ignore\"\n",
        ]
        .map(of);
        let unequal: std::collections::BTreeSet<&String> = different.iter().collect();
        assert_eq!(unequal.len(), different.len());
    }

    #[test]
    fn what_may_differ_between_hosts_is_left_out() {
        for other in [
            "[server]\nlisten = \"127.0.0.1:1\"\n",
            "[admin]\nlisten = \"127.0.0.1:2\"\n",
            "[log]\nlevel = \"debug\"\n",
            "[store]\nurl = \"postgres://db\"\nreplica = \"b\"\n",
            "[outgoing]\nproxy = \"http://proxy:3128\"\n",
            "[pagerduty]\nsigning_secrets = [{ file = \"x\" }]\n",
        ] {
            assert_eq!(of(&format!("{other}{BACKEND}")), of(BACKEND), "{other}");
        }
        assert_eq!(of(&BACKEND.replace("{ env = \"A\" }", "{ file = \"b\" }")), of(BACKEND));
        assert_ne!(of(&BACKEND.replace("http://a", "http://b")), of(BACKEND));
        assert_ne!(of(&BACKEND.replace("signing_secret = { env = \"A\" }\n", "")), of(BACKEND));
    }

    #[test]
    fn the_content_of_catalog_files_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "[failure]\ncatalog = [\"a.yaml\"]\n").unwrap();
        let of_catalog = |text: &str| {
            std::fs::write(folder.path().join("a.yaml"), text).unwrap();
            let config = Config::read(&file).unwrap();
            fingerprint(&config, &catalog::policy(&config).unwrap()).unwrap()
        };
        let services = |team: &str| {
            let service = |n: u32| format!("---\ndd-service: service-{n}\nteam: {team}\n");
            (0..50).map(service).collect::<String>()
        };
        assert_eq!(of_catalog(&services("a")), of_catalog(&services("a")));
        assert_ne!(of_catalog(&services("a")), of_catalog(&services("b")));
    }
}
