//! `check`, and commands without a daemon, with a store in a database of PostgreSQL.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use pagerduty_dora::Embedded;
use pagerduty_dora::clock::SystemClock;
use pagerduty_dora::config::Config;

use crate::harness::SECRET;
use crate::postgres::{Pair, Schema};

const ANY_PORT: &str = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";

/// The address for another user.
fn of_user(url: &str, user: &str) -> String {
    url.replace("://postgres@", &format!("://{user}@"))
}

/// An address as the program shows it.
fn shown(url: &str) -> &str {
    url.split('?').next().unwrap()
}

/// Configuration of a store at this address.
fn configuration(url: &str, more: &str) -> String {
    let secret = format!("[pagerduty]\nsigning_secrets = [{{ value = \"{SECRET}\" }}]\n");
    format!("{ANY_PORT}{secret}[store]\nurl = \"{url}\"\n{more}")
}

/// The exit status and the output of a command with a configuration.
fn run(folder: &Path, configuration: &str, arguments: &[&str]) -> (i32, String) {
    std::fs::write(folder.join("config.toml"), configuration).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("PAGERDUTY_DORA_CONFIG")
        .env("HOME", folder)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (output.status.code().unwrap(), printed)
}

fn check(folder: &Path, configuration: &str) -> (i32, String) {
    run(folder, configuration, &["check", "--offline"])
}

#[test]
fn an_empty_database_is_only_set_up_by_the_daemon() {
    let Some(schema) = Schema::new("check_empty") else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = schema.url();
    let configuration = configuration(&url, "");
    let (status, printed) = check(folder.path(), &configuration);
    assert_eq!(status, 0, "{printed}");
    for expected in [
        &format!("\nok     store: {}: PostgreSQL ", shown(&url)),
        ", schema check_empty (will be set up)\n",
        "\nwarn   store replication: one server: what it has committed is lost with its disk",
        "\nwarn   store replication: the server runs with fsync = off",
    ] {
        assert!(printed.contains(expected), "{expected}{printed}");
    }
    for command in [&["failures"][..], &["report"], &["quarantine", "retry", "1"], &["reevaluate"]] {
        let (status, printed) = run(folder.path(), &configuration, command);
        let expected =
            format!("the store {} is empty: run `pagerduty-dora serve` once to set it up", shown(&url));
        assert!(status == 1 && printed.contains(&expected), "{command:?}: {status} {printed}");
    }
    let (status, printed) = run(folder.path(), &configuration, &["backup", "copy.db"]);
    assert!(status == 1 && printed.contains(" is empty: run "), "{status} {printed}");
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'check_empty'::regnamespace;";
    assert_eq!(schema.run(tables).0, "0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_permissions_of_the_user_are_checked() {
    let Some(schema) = Schema::new("check_permissions") else { return };
    let folder = tempfile::tempdir().unwrap();
    let created = "CREATE ROLE check_user LOGIN; GRANT USAGE ON SCHEMA check_permissions TO check_user;";
    assert_eq!(schema.run(created), (String::new(), String::new()));
    let url = schema.url();
    let url_of_user = of_user(&url, "check_user");
    let as_user = configuration(&url_of_user, "");
    let (status, printed) = check(folder.path(), &as_user);
    let expected = format!(
        "wrong  store: the user check_user may not create tables in {}: GRANT CREATE, USAGE ON SCHEMA check_permissions TO \
         check_user\n",
        shown(&url_of_user)
    );
    assert!(status == 2 && printed.contains(&expected), "{printed}");

    let as_owner = configuration(&url, &format!("read_url = \"{url}\"\n"));
    let daemon = Embedded::start(Config::parse(&as_owner).unwrap(), Arc::new(SystemClock)).await.unwrap();
    daemon.stop().await.unwrap();
    let (status, printed) = check(folder.path(), &as_owner);
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains(", schema check_permissions\n"), "{printed}");
    assert!(printed.contains(&format!("\nok     store.read_url: {} (listings", shown(&url))), "{printed}");
    let (status, printed) = run(folder.path(), &as_owner, &["reevaluate"]);
    assert_eq!(status, 0, "{printed}");

    let grant = "GRANT SELECT ON ALL TABLES IN SCHEMA check_permissions TO check_user;";
    assert_eq!(schema.run(grant), (String::new(), String::new()));
    let (status, printed) = check(folder.path(), &as_user);
    let expected = format!(
        "wrong  store: the user check_user may not read and write all tables of {} (attempt, event, failure, \
         failure_event, failure_kind and 16 more): GRANT ",
        shown(&url_of_user)
    );
    assert!(status == 2 && printed.contains(&expected), "{printed}");
    assert_eq!(run(folder.path(), &as_user, &["failures"]).0, 0);

    let grant = "GRANT ALL ON ALL TABLES IN SCHEMA check_permissions TO check_user;";
    assert_eq!(schema.run(grant), (String::new(), String::new()));
    let (status, printed) = check(folder.path(), &as_user);
    assert_eq!(status, 0, "{printed}");
    assert!(
        printed.contains("\nwarn   store: the user check_user can use the tables, but a later"),
        "{printed}"
    );
}

#[test]
fn a_server_that_cannot_be_used_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = configuration("postgres://dora@127.0.0.1:1/dora?sslmode=disable", "");
    let (status, printed) = check(folder.path(), &nobody);
    assert!(
        status == 2 && printed.contains("wrong  store: cannot use the store postgres://dora@"),
        "{printed}"
    );
    let (status, printed) = run(folder.path(), &nobody, &["failures"]);
    assert!(status == 1 && printed.lines().count() == 1, "{status} {printed}");

    let Some(schema) = Schema::new("check_replicated") else { return };
    let replicated = configuration(&schema.url(), "durable = \"replicated\"\n");
    let (status, printed) = check(folder.path(), &replicated);
    assert!(
        status == 1 && printed.contains("failed store replication: store.durable is \"replicated\", and"),
        "{status} {printed}"
    );
    let elsewhere = configuration(&schema.url().replace("check_replicated", "nowhere"), "");
    let (status, printed) = check(folder.path(), &elsewhere);
    assert!(status == 2 && printed.contains("has none of the schemas in the search path"), "{printed}");
}

#[test]
fn replication_is_told_as_the_user_may_see_it() {
    let Some(pair) = Pair::start(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    pair.primary().ask("CREATE ROLE ordinary LOGIN; GRANT CREATE ON SCHEMA public TO ordinary;");
    let of_replication = |configuration: &str| {
        let (status, printed) = check(folder.path(), configuration);
        let lines = printed.lines().filter(|line| line.contains(" store replication: ")).collect::<Vec<_>>();
        (status, lines.join("\n"))
    };
    let as_ordinary = configuration(&of_user(&pair.url(), "ordinary"), "");
    let (status, line) = of_replication(&as_ordinary);
    assert!(
        status == 0 && line.starts_with("warn   store replication: asynchronous standbys (1): "),
        "{line}"
    );
    pair.set_synchronous(true);
    for configuration in [&as_ordinary, &configuration(&pair.url(), "durable = \"replicated\"\n")] {
        let (status, line) = of_replication(configuration);
        let expected = "warn   store replication: a commit waits for one synchronous standby (standby), so ";
        assert!(status == 0 && line.starts_with(expected) && line.contains("connect one more"), "{line}");
    }
    // With another name the standby does not count. Only who may see its state knows.
    pair.primary().ask("ALTER SYSTEM SET synchronous_standby_names = 'other'; SELECT pg_reload_conf();");
    pair.primary().until("current_setting('synchronous_standby_names') = 'other'");
    pair.primary().until("NOT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')");
    let (status, line) = of_replication(&configuration(&pair.url(), ""));
    let expected = "connected ones can end the wait. Until then webhooks are answered 503";
    assert!(
        status == 1 && line.starts_with("failed store replication: ") && line.contains(expected),
        "{line}"
    );
    assert_eq!(of_replication(&as_ordinary).0, 0);
}
