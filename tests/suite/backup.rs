//! `backup`: copies of the store that are made while webhooks come, and a restore.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::engine::is_only_of_sqlite;
use crate::harness::{Daemon, Program, event_of, stdout};
use crate::store_edit;
use crate::store_probe::Probe;

/// Part of SQLite that these tests are about.
const COPIES: &str = "copies of the file of a store";

fn incident(number: usize) -> String {
    event_of("incident.resolved", &format!("QBACKUP{number:04}"))
}

/// Names of the files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_one_state_of_the_store_while_webhooks_come() {
    if is_only_of_sqlite(COPIES) {
        return;
    }
    let daemon = Daemon::start("").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    let mut number = 0;
    for _ in 0..4 {
        let program = Program::of(&daemon);
        let path = file.to_str().unwrap().to_owned();
        let mut backup = tokio::task::spawn_blocking(move || {
            stdout(&program.run("", &["backup", "--keep", "2", path.as_str()]))
        });
        let printed = loop {
            number += 1;
            tokio::select! {
                printed = &mut backup => break printed.unwrap(),
                () = daemon.expect(incident(number), "accepted") => {}
            }
        };
        assert!(printed.contains("(events: ") && printed.contains("and checked"), "{printed}");
    }
    assert_eq!(names(folder.path()), ["copy.db", "copy.db.1", "copy.db.2"]);
    // The backup of another version of the program is replaced, too.
    store_edit::set_schema(&file, 99);
    stdout(&Program::of(&daemon).run("", &["backup", "--keep", "2", file.to_str().unwrap()]));
    assert_eq!(names(folder.path()), ["copy.db", "copy.db.1", "copy.db.2"]);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let events: Vec<i64> = ["copy.db.2", "copy.db.1", "copy.db"]
        .iter()
        .map(|name| {
            let probe = Probe::open(&folder.path().join(name));
            probe.assert_intact();
            probe.events()
        })
        .collect();
    assert!(events.is_sorted() && events[0] > 0, "{events:?}");
    assert!(events[2] <= daemon.probe().events());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_has_what_the_backup_had_and_takes_the_rest_again() {
    if is_only_of_sqlite(COPIES) {
        return;
    }
    let daemon = Daemon::start("").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    for number in 0..3 {
        daemon.expect(incident(number), "accepted").await;
    }
    let before = daemon.failures().await;
    stdout(&Program::of(&daemon).run("", &["backup", file.to_str().unwrap()]));
    daemon.expect(incident(3), "accepted").await;
    let store = daemon.store.clone();
    let restore = || {
        std::fs::copy(&file, &store).unwrap();
    };
    let daemon = daemon.restart_after("", restore).await;
    assert_eq!(daemon.failures().await, before);
    // PagerDuty sends again what was not answered.
    daemon.expect(incident(2), "duplicate").await;
    daemon.expect(incident(3), "accepted").await;
    assert_eq!(daemon.failures().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_replaces_only_a_backup() {
    if is_only_of_sqlite(COPIES) {
        return;
    }
    let daemon = Daemon::start("").await;
    daemon.expect(incident(0), "accepted").await;
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.txt");
    std::fs::write(&notes, "keep me").unwrap();
    let refused = |file: PathBuf| {
        let output = Program::of(&daemon).run("", &["backup", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(daemon.store.clone()).contains("is the store itself"));
    assert!(refused(notes.clone()).contains("is no backup of this program"));
    assert!(refused(folder.path().to_owned()).contains("is no backup of this program"));
    assert!(refused(folder.path().join("missing/copy.db")).contains("cannot write"));
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "keep me");
    assert_eq!(names(folder.path()), ["notes.txt"]);
    // The names of older backups, and the files that SQLite would add to the copy.
    let file = folder.path().join("copy.db");
    std::fs::write(folder.path().join("copy.db.2"), "keep me").unwrap();
    let keep = Program::of(&daemon).run("", &["backup", "--keep", "2", file.to_str().unwrap()]);
    assert_eq!(keep.status.code(), Some(1));
    assert!(String::from_utf8(keep.stderr).unwrap().contains("copy.db.2 is no backup of this program"));
    std::fs::write(folder.path().join("copy.db-wal"), "of an older copy").unwrap();
    assert!(refused(file.clone()).contains("copy.db-wal is beside"));
    assert_eq!(names(folder.path()), ["copy.db-wal", "copy.db.2", "notes.txt"]);
    assert_eq!(daemon.failures().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_replaces_what_a_killed_one_left() {
    if is_only_of_sqlite(COPIES) {
        return;
    }
    let daemon = Daemon::start("").await;
    daemon.expect(incident(0), "accepted").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    for left in [".copy.db.unfinished", ".copy.db.unfinished-journal"] {
        std::fs::write(folder.path().join(left), "half of a copy").unwrap();
    }
    stdout(&Program::of(&daemon).run("", &["backup", file.to_str().unwrap()]));
    assert_eq!(names(folder.path()), ["copy.db"]);
    assert_eq!(Probe::open(&file).events(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_whether_the_daemon_is_ready() {
    let daemon = Daemon::start("").await;
    let program = Program::of(&daemon);
    assert_eq!(stdout(&program.run("", &["health"])), "");
    daemon.stop().await.unwrap();
    let output = program.run("", &["health"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no daemon answers at"));
}
