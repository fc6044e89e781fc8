//! A schema of its own for a test, on a server that all tests of a run share.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use super::owner::Owner;
use super::programs::{ask, installed, psql, until};
use super::proxy::Proxy;
use super::server::{Server, until_state};
use crate::engine::Link;
use crate::harness::PATIENCE;

/// The server that tests share, with its owner. What it has is lost if the machine stops, so that tests are fast. It
/// gathers no statistics, so every test shows that the program does not need them.
struct Cluster {
    server: Server,
    /// Stops the server when it is dropped.
    _owner: Owner,
}

impl Cluster {
    fn start(programs: &Path) -> Self {
        let mut owner = Owner::start(programs);
        let server = Server::new(&mut owner, "shared");
        server.create(&mut owner, &["fsync = off", "max_connections = 1000", "autovacuum = off"]);
        server.start(&mut owner);
        Self { server, _owner: owner }
    }
}

/// A schema with this name as the only one that names are looked up in.
pub(crate) struct Schema {
    server: &'static Server,
    name: String,
}

/// Locks of tables, by a session of their own.
pub(crate) struct Lock {
    _link: Link,
}

impl Schema {
    /// An empty schema. `None` if PostgreSQL is not installed.
    pub(crate) fn new(name: &str) -> Option<Self> {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        let programs = installed()?;
        let server = &CLUSTER.get_or_init(|| Cluster::start(programs)).server;
        server.ask(&format!("CREATE SCHEMA {name};"));
        Some(Self { server, name: name.to_owned() })
    }

    /// A schema with the tables of the store.
    pub(crate) fn of_store(name: &str) -> Option<Self> {
        let schema = Self::new(name)?;
        let file = "src/store/engine/migrations/postgres/0003_schema.sql";
        let sql = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert_eq!(schema.run(&sql), (String::new(), String::new()), "{file}");
        Some(schema)
    }

    /// `store.url` of a program that uses this schema.
    pub(crate) fn url(&self) -> String {
        format!("{}?options={}", self.server.url(), self.options())
    }

    /// `store.url` of a program that uses this schema, and for what it does not have, the other one.
    pub(crate) fn url_with(&self, other: &Self) -> String {
        format!("{}%2C{}", self.url(), other.name)
    }

    /// A network of its own before the server, and the `store.url` of a program that uses this schema through it.
    pub(crate) fn through_proxy(&self) -> (Proxy, String) {
        let proxy = Proxy::to(&self.server.socket());
        let url = format!("{}&options={}", proxy.url(), self.options());
        (proxy, url)
    }

    /// Runs a script of `psql`, which must give no message. Returns what it prints.
    pub(crate) fn ask(&self, script: &str) -> String {
        ask(&self.url(), script)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Locks tables until the result is dropped.
    pub(crate) fn lock(&self, tables: &str) -> Lock {
        let mut link = Link::to_url(&self.url());
        let begin = Instant::now();
        // A transaction may have one of them, and wait for another one that this has.
        while let Err(error) =
            link.batch(&format!("BEGIN; SET LOCAL lock_timeout = '100ms'; LOCK TABLE {tables}"))
        {
            assert!(begin.elapsed() < PATIENCE, "{tables} cannot be locked: {error}");
            link.batch("ROLLBACK").unwrap();
        }
        Lock { _link: link }
    }

    /// Waits until a condition in SQL is true.
    pub(crate) fn until(&self, condition: &str) {
        until(&self.url(), condition);
    }

    fn options(&self) -> String {
        format!("-csearch_path%3D{}", self.name)
    }

    /// Runs a script of `psql`. Returns what it prints, and its messages.
    pub(crate) fn run(&self, script: &str) -> (String, String) {
        psql(&self.url(), script)
    }
}

#[test]
fn a_server_is_removed_when_the_pipe_is_closed() {
    let Some(programs) = installed() else { return };
    let cluster = Cluster::start(programs);
    assert_eq!(cluster.server.ask("SELECT 1;"), "1");
    let (folder, first) = (cluster.server.data(), cluster.server.process().unwrap());
    drop(cluster);
    assert!(!folder.parent().unwrap().parent().unwrap().exists());
    until_state(first, |state| matches!(state, None | Some('Z' | 'X')));
}

#[test]
fn each_schema_has_tables_of_its_own() {
    let Some(one) = Schema::new("schema_one") else { return };
    let other = Schema::new("schema_other").unwrap();
    for schema in [&one, &other] {
        assert_eq!(schema.run("CREATE TABLE same_name (a BIGINT);"), (String::new(), String::new()));
    }
    assert_eq!(one.run("INSERT INTO same_name VALUES (1);").1, "");
    assert_eq!(other.run("SELECT count(*) FROM same_name;").0, "0\n");
}
