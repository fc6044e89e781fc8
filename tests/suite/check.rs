//! `check`: mistakes, and settings that are probably not intended, are found before the daemon starts.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::engine::{is_postgres, store_keys};
use crate::harness::{Daemon, SECRET};

const ANY_PORT: &str = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";

/// The exit status and the output of `check --offline` in a folder.
fn check(folder: &Path, configuration: &str) -> (i32, String) {
    std::fs::write(folder.join("config.toml"), configuration).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .args(["check", "--offline"])
        .current_dir(folder)
        .env_remove("PAGERDUTY_DORA_CONFIG")
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (output.status.code().unwrap(), printed)
}

#[test]
fn a_path_where_no_store_can_be_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for (path, expected) in [
        ("missing/store.db", "missing does not exist"),
        ("file/store.db", "file is not a folder"),
        (".", "names no file"),
    ] {
        let (status, printed) = check(folder.path(), &format!("{ANY_PORT}[store]\npath = {path:?}\n"));
        assert_eq!(status, 2, "{path}: {printed}");
        assert!(printed.contains("wrong  store: ") && printed.contains(expected), "{path}: {printed}");
    }
    let (status, printed) = check(folder.path(), ANY_PORT);
    assert_eq!(status, 0, "{printed}");
    assert!(printed.contains("ok     store: pagerduty-dora.db (will be created)"), "{printed}");
    assert!(!folder.path().join("pagerduty-dora.db").exists(), "check creates nothing");
}

#[test]
fn an_address_that_cannot_be_used_is_an_error() {
    // A link-local address without its interface is invalid on every machine.
    const WITHOUT_SCOPE: &str = "[fe80::1]:80";
    let folder = tempfile::tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    for (address, expected) in
        [(taken.to_string(), "another program is listening on"), (WITHOUT_SCOPE.into(), "cannot")]
    {
        let configuration = format!("[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = {address:?}\n");
        // Connections to the other listener get no answer.
        let (status, printed) = check(folder.path(), &configuration);
        assert_eq!(status, 2, "{printed}");
        assert!(printed.contains("wrong  admin.listen: ") && printed.contains(&address), "{printed}");
        assert!(printed.contains(expected), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_with_the_same_configuration_is_no_error() {
    let daemon = Daemon::start("").await;
    let folder = tempfile::tempdir().unwrap();
    let listeners =
        format!("[server]\nlisten = \"{}\"\n[admin]\nlisten = \"{}\"\n", daemon.public, daemon.admin);
    let ours = format!("{listeners}[store]\n{}", store_keys(&daemon.store));
    let (status, printed) = check(folder.path(), &ours);
    assert_eq!(status, 0, "{printed}");
    // Several daemons may share a database of PostgreSQL.
    let items = if is_postgres() { 2 } else { 3 };
    assert_eq!(printed.matches("in use by a running pagerduty-dora").count(), items, "{printed}");

    let (status, printed) = check(folder.path(), &format!("{listeners}[store]\npath = \"other.db\"\n"));
    assert_eq!(status, 2, "{printed}");
    assert_eq!(
        printed.matches("a pagerduty-dora with another store is listening on").count(),
        2,
        "{printed}"
    );

    let elsewhere = format!("{ANY_PORT}[store]\n{}", store_keys(&daemon.store));
    let (status, printed) = check(folder.path(), &elsewhere);
    assert_eq!(status, if is_postgres() { 0 } else { 2 }, "{printed}");
    assert!(is_postgres() || printed.contains("is in use by another process"), "{printed}");
}

#[test]
fn unwise_settings_are_warnings() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "0123456789abcdef\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let configuration = format!(
        "{ANY_PORT}[failure]\ncatalog = [\"catalog/*.yaml\"]\n[events_api]\nkeys = [{{ file = \"key\" }}]\n\
         [[service]]\npagerduty = \"PSVC001\"\nenv = \"prod\"\n[[service]]\npagerduty = \"psvc001\"\n\
         env = \"staging\"\n\
         [[backend]]\nname = \"sink\"\nkind = \"cdevents\"\nurl = \"http://127.0.0.1:1\"\ntoken = {{ file = \"key\" }}\n"
    );
    let (status, printed) = check(folder.path(), &configuration);
    assert_eq!(status, 0, "{printed}");
    let warned: Vec<&str> = printed.lines().filter(|line| line.starts_with("warn   ")).collect();
    for expected in [
        "configuration: config.toml:13: service.pagerduty: ",
        "configuration: config.toml:11: service.env: every [[service]] entry sets an env",
        "failure.catalog: config.toml:6: no file matches \"catalog/*.yaml\"",
        "events_api.keys: key can be read by everybody",
        "backend sink: token: key can be read by everybody",
    ] {
        assert!(warned.iter().any(|line| line.contains(expected)), "{expected}\n{printed}");
    }
    assert_eq!(warned.iter().filter(|line| !line.contains("MiB are free")).count(), 5, "{printed}");
}

#[test]
fn secrets_and_tables_of_github_and_gitlab_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let tables = "[[deployment]]\nname = \"all\"\nenvironment = [\".*\"]\n[[deployment]]\nname = \"live\"\nenvironment = [\"live\"]\n";
    let text = |gitlab: &str| {
        format!(
            "{ANY_PORT}[github]\nsigning_secrets = [{{ file = \"github-webhook\" }}]\n\
             [gitlab]\nsigning_secrets = [{{ file = \"{gitlab}\" }}]\n{tables}"
        )
    };
    std::fs::write(folder.path().join("github-webhook"), "0123456789abcdef\n").unwrap();
    std::fs::write(folder.path().join("token"), "whsec_AAECAwQFBgcICQoLDA0ODw==\n").unwrap();
    let (status, printed) = check(folder.path(), &text("token"));
    assert_eq!(status, 0, "{printed}");
    for line in ["ok     github.signing_secrets: the file", "ok     gitlab.signing_secrets: the file"] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    let shadowed = "[[deployment]] table \"live\" never matches: table \"all\" comes before it";
    assert!(printed.contains("warn   configuration: ") && printed.contains(shadowed), "{printed}");
    let (status, printed) = check(folder.path(), &text("github-webhook"));
    assert_eq!(status, 2, "{printed}");
    assert!(
        printed.contains("wrong  gitlab.signing_secrets: ") && printed.contains("is no signing token"),
        "{printed}"
    );
    assert!(!printed.contains("0123456789abcdef"), "{printed}");
}
