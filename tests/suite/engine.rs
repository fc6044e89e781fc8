//! The engine that the suite runs on: SQLite, or PostgreSQL with `STORE=postgres`.
//!
//! A test names its store by the path of a file in a folder of its own. On PostgreSQL each path stands for a schema of the
//! server that all tests of a run share. The schema is removed some time after the folder.

mod link;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use pagerduty_dora::store::{Acknowledgement, PostgresAddress, Settings, StoreAddress};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) use self::link::{Link, Value};
use crate::postgres::{Schema, is_installed};

/// `true` if the suite runs on PostgreSQL.
pub(crate) fn is_postgres() -> bool {
    static STORE: LazyLock<bool> = LazyLock::new(|| match std::env::var("STORE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("STORE={other} is neither sqlite nor postgres"),
    });
    *STORE
}

/// This number of random cases, and on PostgreSQL, where each takes longer, a fifth of it.
pub(crate) fn cases(number: u64) -> u64 {
    if is_postgres() { number.div_ceil(5) } else { number }
}

/// `true` on PostgreSQL, where the test that asks is left out. `reason`: the part of SQLite that the test is about.
pub(crate) fn is_only_of_sqlite(reason: &str) -> bool {
    if is_postgres() {
        let thread = std::thread::current();
        println!("left out on PostgreSQL: {}: {reason}", thread.name().unwrap_or_default());
    }
    is_postgres()
}

/// Fingerprint of the daemons of [`of_a_daemon`].
pub(crate) const FINGERPRINT: &str = "5eed";

/// These settings, for a daemon. Of several on one database, all decide, because they have the same fingerprint.
pub(crate) fn of_a_daemon(settings: Settings) -> Settings {
    Settings { fingerprint: Some(FINGERPRINT.into()), is_daemon: true, ..settings }
}

/// A store that is on PostgreSQL whatever the suite runs on.
pub(crate) struct PostgresStore {
    folder: TempDir,
}

impl PostgresStore {
    /// An empty store. `None` if PostgreSQL is not installed. With `REQUIRE_ALL` the test then fails.
    pub(crate) fn new() -> Option<Self> {
        is_installed().then_some(())?;
        Some(Self { folder: tempfile::Builder::new().prefix(ONLY_POSTGRES).tempdir().unwrap() })
    }

    /// The path that stands for it.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// Its address.
    pub(crate) fn address(&self) -> StoreAddress {
        store_address(&self.path())
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        store_url(&self.path())
    }
}

/// Beginning of the name of the folder of a store that is on PostgreSQL whatever the suite runs on.
const ONLY_POSTGRES: &str = "only-postgres-";

/// `true` if this path stands for a schema.
fn is_on_postgres(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    is_postgres() || folder.is_some_and(|folder| folder.starts_with(ONLY_POSTGRES))
}

/// Address of the store that has this path.
pub(crate) fn store_address(path: &Path) -> StoreAddress {
    if !is_on_postgres(path) {
        return path.into();
    }
    StoreAddress::Postgres(Arc::new(PostgresAddress {
        url: store_url(path),
        read_url: None,
        user: "postgres".to_owned(),
        password: None,
        password_file: None,
        certificate_authority: None,
        replica: "suite".to_owned(),
        acknowledgement: Acknowledgement::Server,
        open_limit: Duration::from_secs(20),
    }))
}

/// Keys of `[store]` in a configuration file that name the store that has this path.
pub(crate) fn store_keys(path: &Path) -> String {
    if is_on_postgres(path) {
        format!("url = \"{}\"\n", store_url(path))
    } else {
        format!("path = \"{}\"\n", path.display())
    }
}

/// Beginning of a configuration file in this folder: any ports, and the store `pagerduty-dora.db` there.
pub(crate) fn ports_and_store(folder: &Path) -> String {
    let store = store_keys(&folder.join("pagerduty-dora.db"));
    format!("[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\n{store}")
}

/// URL of the schema that stands for this path. The schema exists.
pub(crate) fn store_url(path: &Path) -> String {
    static SCHEMAS: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());
    let mut schemas = SCHEMAS.lock().unwrap();
    if let Some(name) = schemas.get(path) {
        return url_of(name);
    }
    let mut link = Link::to_url(&url_of(SHARED));
    // A daemon that has not quite ended may still use one.
    link.batch("SET lock_timeout = '100ms'").unwrap();
    schemas.retain(|of, name| {
        is_in_use(of) || link.batch(&format!("DROP SCHEMA IF EXISTS {name} CASCADE")).is_err()
    });
    let name = schema_of(path);
    link.batch(&format!("CREATE SCHEMA {name}")).unwrap();
    schemas.insert(path.to_owned(), name.clone());
    url_of(&name)
}

/// `true` while the folder of a store exists.
fn is_in_use(path: &Path) -> bool {
    path.parent().is_some_and(Path::exists)
}

/// Name of the schema that stands for a path.
fn schema_of(path: &Path) -> String {
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    format!("store_{}", hex::encode(&hash[..8]))
}

/// Schema that is there from the beginning.
const SHARED: &str = "suite";

/// URL of a schema.
fn url_of(schema: &str) -> String {
    static URL: LazyLock<String> = LazyLock::new(|| {
        let shared = Schema::new(SHARED)
            .expect("STORE=postgres needs PostgreSQL: install Debian's package postgresql");
        shared.url()
    });
    let url = URL.strip_suffix(SHARED).expect("the schema is at the end");
    format!("{url}{schema}")
}

#[test]
fn a_path_stands_for_one_schema() {
    let [one, other] = ["/tmp/a/store.db", "/tmp/b/store.db"].map(|path| schema_of(Path::new(path)));
    assert_eq!(one, schema_of(Path::new("/tmp/a/store.db")));
    assert_ne!(one, other);
    assert!(
        one.len() < 63 && one.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'),
        "{one}"
    );
}
