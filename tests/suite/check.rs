//! `check`: errors and unwise settings are found before the daemon starts.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

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
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (output.status.code().unwrap(), said)
}

#[test]
fn a_place_where_the_store_cannot_be_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for (path, said) in [
        ("missing/store.db", "missing does not exist"),
        ("file/store.db", "file is not a folder"),
        (".", "names no file"),
    ] {
        let (status, told) = check(folder.path(), &format!("{ANY_PORT}[store]\npath = {path:?}\n"));
        assert_eq!(status, 2, "{path}: {told}");
        assert!(told.contains("wrong  store: ") && told.contains(said), "{path}: {told}");
    }
    let (status, told) = check(folder.path(), ANY_PORT);
    assert_eq!(status, 0, "{told}");
    assert!(told.contains("ok     store: pagerduty-dora.db (will be created)"), "{told}");
    assert!(!folder.path().join("pagerduty-dora.db").exists(), "check creates nothing");
}

#[test]
fn an_address_where_nobody_can_listen_is_wrong() {
    // A link-local address without its interface is invalid on every machine.
    const WITHOUT_SCOPE: &str = "[fe80::1]:80";
    let folder = tempfile::tempdir().unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    for (address, said) in
        [(taken.to_string(), "another program is listening on"), (WITHOUT_SCOPE.into(), "cannot")]
    {
        let configuration = format!("[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = {address:?}\n");
        // Connections to the other listener get no answer.
        let (status, told) = check(folder.path(), &configuration);
        assert_eq!(status, 2, "{told}");
        assert!(told.contains("wrong  admin.listen: ") && told.contains(&address), "{told}");
        assert!(told.contains(said), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_daemon_is_no_mistake_of_its_own_configuration() {
    let daemon = Daemon::start("").await;
    let folder = tempfile::tempdir().unwrap();
    let listeners =
        format!("[server]\nlisten = \"{}\"\n[admin]\nlisten = \"{}\"\n", daemon.public, daemon.admin);
    let ours = format!("{listeners}[store]\npath = {:?}\n", daemon.store.display().to_string());
    let (status, told) = check(folder.path(), &ours);
    assert_eq!(status, 0, "{told}");
    assert_eq!(told.matches("in use by a running pagerduty-dora").count(), 3, "{told}");

    let (status, told) = check(folder.path(), &format!("{listeners}[store]\npath = \"other.db\"\n"));
    assert_eq!(status, 2, "{told}");
    assert_eq!(told.matches("a pagerduty-dora with another store is listening on").count(), 2, "{told}");

    let elsewhere = format!("{ANY_PORT}[store]\npath = {:?}\n", daemon.store.display().to_string());
    let (status, told) = check(folder.path(), &elsewhere);
    assert_eq!(status, 2, "{told}");
    assert!(told.contains("is in use by another process"), "{told}");
}

#[test]
fn what_is_only_unwise_is_a_warning() {
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
    let (status, told) = check(folder.path(), &configuration);
    assert_eq!(status, 0, "{told}");
    let warned: Vec<&str> = told.lines().filter(|line| line.starts_with("warn   ")).collect();
    for said in [
        "configuration: config.toml:13: service.pagerduty: ",
        "configuration: config.toml:11: service.env: every [[service]] entry sets an env",
        "failure.catalog: config.toml:6: no file matches \"catalog/*.yaml\"",
        "events_api.keys: key can be read by everybody",
        "backend sink: token: key can be read by everybody",
    ] {
        assert!(warned.iter().any(|line| line.contains(said)), "{said}\n{told}");
    }
    assert_eq!(warned.iter().filter(|line| !line.contains("MiB are free")).count(), 5, "{told}");
}
