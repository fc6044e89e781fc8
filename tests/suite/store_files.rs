//! Only one process can write to a store, by any name of its file. If the files are moved or removed, nothing more is
//! acknowledged.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pagerduty_dora::sources::pagerduty::signature::sign;
use tempfile::TempDir;

use crate::engine::is_only_of_sqlite;
use crate::harness::{SECRET, client, event_of};
use crate::process::{Listening, PROGRAM, Process};
use crate::store_probe::Probe;

/// Part of SQLite that these tests are about.
const FILES: &str = "the files of a store";

const STORE: &str = "pagerduty-dora.db";

/// Writes a configuration with a store of this name.
fn configured(folder: &Path, store: &str) -> PathBuf {
    let config = folder.join(format!("{store}.toml"));
    let listen = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    fs::write(&config, format!("{listen}[store]\npath = \"{store}\"\n")).unwrap();
    config
}

fn started() -> (TempDir, Process, Listening) {
    let folder = tempfile::tempdir().unwrap();
    let (process, listening) = Process::start(&configured(folder.path(), STORE));
    (folder, process, listening)
}

/// Delivers a webhook, and returns the status. `None` if there is no answer.
async fn delivered(listening: Listening, n: usize) -> Option<u16> {
    let body = event_of("incident.triggered", &format!("QFILES{n:04}"));
    let signature = sign(&SECRET.to_owned().into(), body.as_bytes());
    let url = format!("http://{}/webhooks/pagerduty", listening.public);
    let request = client().post(url).header("x-pagerduty-signature", signature).body(body);
    Some(request.send().await.ok()?.status().as_u16())
}

fn events(store: &Path) -> i64 {
    Probe::open(store).events()
}

/// Checks that the daemon ends by itself, with status 74, and names the file.
fn ends_in_doubt(mut process: Process, file: &str) {
    let (status, stderr) = process.wait();
    assert_eq!(status.code(), Some(74), "{stderr}");
    assert!(stderr.contains(&format!("{file} was moved, removed or replaced")), "{stderr}");
}

#[tokio::test]
async fn a_second_daemon_cannot_open_the_store_by_any_name() {
    if is_only_of_sqlite(FILES) {
        return;
    }
    let (folder, process, listening) = started();
    let at = |name: &str| folder.path().join(name);
    symlink(at(STORE), at("symbolic.db")).unwrap();
    fs::hard_link(at(STORE), at("hard.db")).unwrap();
    for store in [STORE, "symbolic.db", "hard.db"] {
        let (status, stderr) = Process::spawn(&configured(folder.path(), store)).wait();
        assert_eq!(status.code(), Some(1), "{store}: {stderr}");
        assert!(stderr.contains("is in use by another process"), "{store}: {stderr}");
        assert_eq!(delivered(listening, 0).await, Some(202));
    }
    process.terminate();
    assert_eq!(events(&at(STORE)), 1);
}

#[tokio::test]
async fn commands_that_read_work_beside_the_daemon() {
    if is_only_of_sqlite(FILES) {
        return;
    }
    let (folder, process, listening) = started();
    assert_eq!(delivered(listening, 0).await, Some(202));
    symlink(folder.path().join(STORE), folder.path().join("symbolic.db")).unwrap();
    for store in [STORE, "symbolic.db"] {
        let config = configured(folder.path(), store);
        let listed =
            Command::new(PROGRAM).arg("--config").arg(config).args(["failures", "--format=json"]).output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        assert!(listed.contains("QFILES0000"), "{store}: {listed}");
    }
    assert_eq!(delivered(listening, 1).await, Some(202));
    process.terminate();
}

#[tokio::test]
async fn nothing_is_acknowledged_after_the_store_was_removed() {
    if is_only_of_sqlite(FILES) {
        return;
    }
    let (folder, process, listening) = started();
    assert_eq!(delivered(listening, 0).await, Some(202));
    for file in [STORE.to_owned(), format!("{STORE}-wal"), format!("{STORE}-shm")] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    assert_ne!(delivered(listening, 1).await, Some(202));
    ends_in_doubt(process, STORE);
}

#[tokio::test]
async fn a_replaced_store_is_noticed_without_any_request() {
    if is_only_of_sqlite(FILES) {
        return;
    }
    let (folder, process, _) = started();
    let other = folder.path().join("other.db");
    fs::copy(folder.path().join(STORE), &other).unwrap();
    fs::rename(other, folder.path().join(STORE)).unwrap();
    ends_in_doubt(process, STORE);
}

#[tokio::test]
async fn a_removed_wal_loses_nothing_that_was_acknowledged() {
    if is_only_of_sqlite(FILES) {
        return;
    }
    let (folder, process, listening) = started();
    for n in 0..3 {
        assert_eq!(delivered(listening, n).await, Some(202));
    }
    fs::remove_file(folder.path().join(format!("{STORE}-wal"))).unwrap();
    assert_ne!(delivered(listening, 3).await, Some(202));
    ends_in_doubt(process, &format!("{STORE}-wal"));
    assert!(events(&folder.path().join(STORE)) >= 3);
}

#[test]
fn the_files_are_private_under_any_umask() {
    if is_only_of_sqlite(FILES) {
        return;
    }
    for umask in ["000", "022", "777"] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\""), PROGRAM]);
        let (process, _) = Process::start_by(command, &configured(folder.path(), STORE));
        for suffix in ["", "-wal", "-shm"] {
            let file = folder.path().join(format!("{STORE}{suffix}"));
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600, "{umask} {suffix}");
        }
        process.terminate();
    }
}
