//! `store copy`: from a file to PostgreSQL and back, refusals, and copies that are killed.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use pagerduty_dora::config::Config;
use pagerduty_dora::domain::figures::{ReportDefaults, ReportOptions};
use pagerduty_dora::domain::policy::Policy;
use pagerduty_dora::sources;
use pagerduty_dora::store::copy::{compare_reevaluations, compare_reports};
use pagerduty_dora::store::{FiguresReader, Reader};
use serde_json::Value;
use tempfile::TempDir;

use crate::engine::is_only_of_sqlite;
use crate::fixture_store::{configuration, filled_under};
use crate::harness::{Backend, eventually, stdout, time};
use crate::postgres::Schema;
use crate::store_edit;
use crate::store_probe::Probe;

/// Reason why the tests are left out when the suite runs on PostgreSQL.
const BOTH: &str = "it has stores of both engines anyway";

/// A folder with stores and configurations.
struct Stores {
    folder: TempDir,
    /// Configuration of everything but the store.
    configuration: String,
}

impl Stores {
    fn new(configuration: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), configuration: configuration.to_owned() }
    }

    /// A store with a row in every table, under the name `store.db`.
    async fn filled() -> Self {
        let backend = Backend::start().await;
        let stores = Self::new(&configuration(&backend));
        let daemon = filled_under(&stores.configuration, &backend).await;
        let store = daemon.store.clone();
        let folder = daemon.stop_and_keep().await;
        store_edit::fill_the_rest(&store);
        std::fs::copy(&store, stores.file("store.db")).unwrap();
        drop(folder);
        stores
    }

    /// A store with many events, under the name `store.db`.
    fn large() -> Self {
        let stores = Self::new("");
        let empty = stores.file("store.db");
        store_edit::sql::put(&empty, &crate::fixture_store::read(pagerduty_dora::store::SCHEMA));
        store_edit::add_events(&empty, 60_000);
        stores
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Names of the files in the folder that begin like this.
    fn names(&self, begin: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(begin)).collect()
    }

    /// A command on a store: a file of the folder, or a URL.
    fn command(&self, store: &str, arguments: &[&str]) -> Command {
        let key = if store.contains("://") { "url" } else { "path" };
        let file = self.file("config.toml");
        let store = format!("[store]\n{key} = {store:?}\n[admin]\nlisten = \"127.0.0.1:9\"\n");
        std::fs::write(&file, format!("{}\n{store}", self.configuration)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"));
        command.current_dir(self.folder.path()).args(["--config", "config.toml"]).args(arguments);
        command
    }

    fn run(&self, store: &str, arguments: &[&str]) -> Output {
        self.command(store, arguments).output().unwrap()
    }

    fn copy(&self, from: &str, to: &str) -> Output {
        self.run(from, &["store", "copy", "--to", to])
    }

    /// The message of a copy that is refused.
    fn refused(&self, from: &str, to: &str) -> String {
        let output = self.copy(from, to);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(output.stdout, b"", "{output:?}");
        String::from_utf8(output.stderr).unwrap().replace("pagerduty-dora: ", "")
    }

    /// Everything that commands show of a store.
    fn everything(&self, store: &str) -> Vec<(String, Value)> {
        let shown = |arguments: &[&str]| -> Value {
            let output = self.run(store, &[arguments, &["--format", "json"]].concat());
            let mut answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
            forget_now(&mut answer);
            answer
        };
        let mut all = Vec::new();
        let mut add = |arguments: &[&str]| {
            let answer = shown(arguments);
            all.push((arguments.join(" "), answer.clone()));
            answer
        };
        let failures = add(&["failures"]);
        let deployments = add(&["deployments"]);
        let ignored = add(&["deployments", "--ignored"]);
        for list in [["outbox"], ["quarantine"]] {
            add(&list);
        }
        for by in ["service", "team", "env", "severity"] {
            add(&["report", "--since", "2026-10-01", "--until", "2026-11-29", "--env", "all", "--by", by]);
        }
        add(&["reevaluate", "--dry-run"]);
        let listed = [&failures["failures"], &deployments["deployments"], &ignored["deployments"]];
        let ids: Vec<&str> = listed
            .iter()
            .flat_map(|list| list.as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()))
            .collect();
        assert!(ids.len() > 10, "{ids:?}");
        for id in &ids {
            drop(add(&["explain", id]));
        }
        all
    }
}

/// The lines about tables, which have the digests.
fn digests(printed: &str) -> Vec<&str> {
    printed.lines().filter(|line| line.contains(" row")).filter(|line| !line.starts_with("Copied")).collect()
}

/// Counts the tables, views and indexes of a schema.
const RELATIONS: &str = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace;";

/// A database of its own, for what other tests would notice.
struct Database {
    schema: Schema,
    name: &'static str,
}

impl Database {
    fn new(name: &'static str) -> Option<Self> {
        let schema = Schema::new(name)?;
        assert_eq!(schema.run(&format!("CREATE DATABASE {name};")), (String::new(), String::new()));
        Some(Self { schema, name })
    }

    fn url(&self) -> String {
        let url = self.schema.url();
        format!("{}/{}", url.rsplit_once('/').unwrap().0, self.name)
    }

    fn run(&self, script: &str) -> String {
        let connect = format!("\\connect {}\nSET search_path = public;\n{script}", self.name);
        let (printed, messages) = self.schema.run(&connect);
        assert_eq!(messages, "");
        printed
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_the_same_in_postgresql_and_back_in_a_file() {
    if is_only_of_sqlite(BOTH) {
        return;
    }
    let Some(schema) = Schema::new("store_copy_there_and_back") else { return };
    let stores = Stores::filled().await;
    let there = stdout(&stores.copy("store.db", &schema.url()));
    let lines = digests(&there);
    assert_eq!(lines.len(), 17, "{there}");
    assert!(lines.iter().all(|line| !line.contains(": 0 rows")), "a table is empty: {there}");
    assert!(there.contains("\nreevaluate --dry-run: 0 of "), "{there}");
    assert!(
        there.contains("\nreport --since 90d: ")
            && there.contains("rows a second) from store.db to postgres://")
    );
    assert!(there.trim_end().ends_with(", and both hold the same."), "{there}");

    let back = stdout(&stores.copy(&schema.url(), "sqlite:back.db"));
    assert_eq!(digests(&back), lines);
    Probe::open(&stores.file("back.db")).assert_intact();
    assert!(Probe::open(&stores.file("back.db")).is_folded());
    // And the same with the copy of a database that daemons may use.
    stdout(&stores.run(&schema.url(), &["backup", "backup.db"]));
    let again = stdout(&stores.copy("backup.db", "again.db"));
    assert_eq!(digests(&again), lines);

    let everything = stores.everything("store.db");
    for store in [&schema.url(), "back.db", "again.db"] {
        for (expected, found) in everything.iter().zip(stores.everything(store)) {
            assert_eq!(*expected, found, "{store}");
        }
    }

    // New rows get new numbers.
    let numbers = schema.run(
        "INSERT INTO event (source, event_id, event_type, occurred_at_ns, received_at_ns)
        VALUES ('s', 'new', '', 0, 0) RETURNING id > (SELECT max(id) FROM event);",
    );
    assert_eq!(numbers, ("t\n".to_owned(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_not_empty_and_a_source_in_use_are_refused() {
    if is_only_of_sqlite(BOTH) {
        return;
    }
    let Some(schema) = Schema::new("store_copy_refusals") else { return };
    let stores = Stores::filled().await;
    let url = schema.url();
    schema.run("CREATE TABLE event (id BIGINT);");
    assert!(stores.refused("store.db", &url).contains("is not empty: name a schema without the tables"));
    schema.run("DROP TABLE event;");
    stdout(&stores.copy("store.db", &url));
    assert!(stores.refused("store.db", &url).contains("is not empty"));
    assert!(stores.refused(&url, &url).contains("is not empty"));
    assert!(stores.refused("store.db", "store.db").contains("is the store itself"));
    assert!(stores.refused("store.db", "config.toml").contains("exists already"));

    // A daemon that lives, or has died less than 15 seconds ago.
    schema.run("INSERT INTO replica (name, fingerprint, alive_until) VALUES ('a', 'f', clock_timestamp() + INTERVAL '1 hour');");
    assert!(stores.refused(&url, "copy.db").contains("a daemon with another version or configuration lives"));
    schema.run("UPDATE replica SET alive_until = clock_timestamp();");
    stdout(&stores.copy(&url, "copy.db"));
    assert!(stores.refused(&url, "copy.db").contains("exists already"));

    let output = stores.run("missing.db", &["store", "copy", "--to", "new.db"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no store at"), "{output:?}");
    assert_eq!(stores.names("new.db"), Vec::<String>::new());
    for wrong in ["mysql://db/dora", "postgres://me:canary@db/dora", "sqlite:"] {
        let output = stores.copy("store.db", wrong);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("--to ") && !message.contains("canary"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_a_daemon_uses_is_refused() {
    if is_only_of_sqlite(BOTH) {
        return;
    }
    let backend = Backend::start().await;
    let stores = Stores::new(&configuration(&backend));
    let daemon = filled_under(&stores.configuration, &backend).await;
    let store = daemon.store.to_str().unwrap();
    assert!(stores.refused(store, "copy.db").contains("is in use by another process"));
    assert_eq!(stores.names("copy.db"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_postgresql_cannot_store_are_named_and_nothing_is_written() {
    if is_only_of_sqlite(BOTH) {
        return;
    }
    let Some(schema) = Schema::new("store_copy_nul") else { return };
    let stores = Stores::filled().await;
    store_edit::put_nuls(&stores.file("store.db"));
    let message = stores.refused("store.db", &schema.url());
    assert!(
        message.contains("and the store has some:\n")
            && message.contains("  table quarantine, row 1, column reason"),
        "{message}"
    );
    assert!(message.contains("  table lane, row \"metrics\", \"main\", column error"), "{message}");
    assert_eq!(schema.run(RELATIONS), ("0\n".to_owned(), String::new()));
}

/// Waits until the child has written something, and kills it.
async fn kill_once(child: &mut Child, what: &str, has_written: impl Fn() -> bool) {
    eventually(what, async || {
        assert_eq!(
            child.try_wait().unwrap().map(|status| status.code()),
            None,
            "it ended before it was killed"
        );
        has_written().then_some(())
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_leaves_an_empty_database_and_can_be_repeated() {
    if is_only_of_sqlite(BOTH) {
        return;
    }
    let Some(database) = Database::new("store_copy_killed") else { return };
    let stores = Stores::large();
    let mut child = stores.command("store.db", &["store", "copy", "--to", &database.url()]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let writing = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name LIKE 'pagerduty-dora%' AND query LIKE 'INSERT INTO event (id, source,%';";
    kill_once(&mut child, "the copy is being written", || database.run(writing) != "0\n").await;
    // The server notices the end of the connection, and undoes the transaction.
    eventually("the end of the session", async || (database.run(writing) == "0\n").then_some(())).await;
    assert_eq!(database.run(RELATIONS), "0\n");
    let printed = stdout(&stores.copy("store.db", &database.url()));
    assert!(printed.contains("and both hold the same"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_leaves_no_file_and_can_be_repeated() {
    if is_only_of_sqlite(BOTH) {
        return;
    }
    let stores = Stores::large();
    let mut child = stores.command("store.db", &["store", "copy", "--to", "copy.db"]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let unfinished = stores.file(".copy.db.unfinished");
    // More than an empty store.
    let is_written = || std::fs::metadata(&unfinished).is_ok_and(|file| file.len() > 1_000_000);
    kill_once(&mut child, "the copy is being written", is_written).await;
    assert_eq!(stores.names("copy.db"), Vec::<String>::new());
    stdout(&stores.copy("store.db", "copy.db"));
    Probe::open(&stores.file("copy.db")).assert_intact();
    assert_eq!(stores.names(".copy.db"), Vec::<String>::new());
}

/// Makes a database change a row while it is written.
const SPOIL: &str = "CREATE FUNCTION spoil_row() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.reason := NEW.reason || '!'; RETURN NEW; END $$;
    CREATE FUNCTION spoil() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands()
            WHERE object_identity = 'public.quarantine' AND command_tag = 'CREATE TABLE') THEN
            CREATE TRIGGER spoil BEFORE INSERT ON public.quarantine FOR EACH ROW EXECUTE FUNCTION public.spoil_row();
        END IF; END $$;
    CREATE EVENT TRIGGER spoil ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION spoil();";

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_differs_in_the_copy_is_found_and_the_copy_is_undone() {
    if is_only_of_sqlite(BOTH) {
        return;
    }
    let Some(database) = Database::new("store_copy_spoiled") else { return };
    let stores = Stores::filled().await;
    database.run(SPOIL);
    let message = stores.refused("store.db", &database.url());
    assert!(
        message.contains("the copy differs from the store, and was removed:\n  quarantine: 1 row, SHA-256 "),
        "{message}"
    );
    assert_eq!(database.run(RELATIONS), "0\n");
}

/// A difference that the rows do not show: a store that answers differently.
#[tokio::test(flavor = "multi_thread")]
async fn another_answer_of_the_copy_is_found() {
    if is_only_of_sqlite(BOTH) {
        return;
    }
    let stores = Stores::filled().await;
    stdout(&stores.copy("store.db", "copy.db"));
    let config = Config::parse(&stores.configuration).unwrap();
    let policy: Policy = pagerduty_dora::catalog::policy(&config).unwrap();
    let reevaluations = |names: [&str; 2]| {
        let [source, target] = names.map(|name| Reader::open(stores.file(name).as_path()).unwrap());
        compare_reevaluations([&source, &target], &policy, sources::ALL).unwrap()
    };
    let defaults = ReportDefaults {
        timezone: config.dora.timezone.zone(),
        env: config.failure.default_env.as_str(),
        link_window: config.dora.link_window.get(),
    };
    let options = ReportOptions { env: Some("all"), ..ReportOptions::default() };
    let query = options.query(time("2026-11-20T00:00:00Z"), defaults, "--").unwrap();
    let differs = |names: [&str; 2]| {
        let [source, target] = names.map(|name| FiguresReader::open(stores.file(name).as_path()).unwrap());
        compare_reports([&source, &target], &query).unwrap().differ
    };
    let found = reevaluations(["store.db", "copy.db"]);
    assert!(found.looked_at > 5 && found.would_change == 0 && !found.differ, "{found:?}");
    assert!(!differs(["store.db", "copy.db"]));

    store_edit::finish_later(&stores.file("copy.db"));
    assert!(differs(["store.db", "copy.db"]));
    store_edit::change_evaluated(&stores.file("copy.db"));
    assert!(reevaluations(["store.db", "copy.db"]).differ);
    // The same change in both stores is no difference.
    assert_eq!(reevaluations(["copy.db", "copy.db"]).would_change, 1);
}

/// Removes the time of a report, and how long open failures were followed until then.
fn forget_now(answer: &mut Value) {
    if let Some(fields) = answer.as_object_mut() {
        fields.retain(|field, _| !["as_of", "followed_seconds"].contains(&field.as_str()));
        fields.values_mut().for_each(forget_now);
    } else if let Some(entries) = answer.as_array_mut() {
        entries.iter_mut().for_each(forget_now);
    }
}
