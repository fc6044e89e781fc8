//! The programs of PostgreSQL, where they are installed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::harness::PATIENCE;

/// Folder of the programs. `None` if PostgreSQL is not installed. With `REQUIRE_ALL` the test then fails.
pub(super) fn installed() -> Option<&'static Path> {
    static PROGRAMS: LazyLock<Option<PathBuf>> = LazyLock::new(find);
    let found = PROGRAMS.as_deref();
    if found.is_none() {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "PostgreSQL is missing");
        println!("skipped: PostgreSQL is not installed");
    }
    found
}

fn find() -> Option<PathBuf> {
    let in_path = std::env::var_os("PATH").into_iter().flat_map(|path| {
        std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect::<Vec<_>>()
    });
    // Debian installs each version in a folder of its own. The newest one comes first here.
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    versions.sort();
    let is_whole = |folder: &PathBuf| {
        ["initdb", "pg_rewind", "pg_ctl", "psql"].iter().all(|program| folder.join(program).is_file())
    };
    in_path.chain(versions.into_iter().rev()).find(is_whole)
}

/// Runs a script of `psql` over the connection that a URL describes. Returns what it prints, and its messages.
pub(super) fn psql(url: &str, script: &str) -> (String, String) {
    let mut psql = Command::new(installed().unwrap().join("psql"))
        .args(["-X", "-q", "-A", "-t", "-f", "-", "-d", url])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = psql.stdin.take().unwrap();
    let script = script.to_owned();
    // Written beside the reading, because both sides may wait for a full pipe. A psql without a connection reads nothing.
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = psql.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// The same for a script that must give no message. Returns what it prints, without the end of its last line.
pub(crate) fn ask(url: &str, script: &str) -> String {
    let (printed, messages) = psql(url, script);
    assert_eq!(messages, "", "{script}");
    printed.trim_end().to_owned()
}

/// Waits until a condition in SQL is true.
pub(super) fn until(url: &str, condition: &str) {
    ask(
        url,
        &format!(
            "SET statement_timeout = '{}ms';
            DO $$ BEGIN
                WHILE NOT ({condition}) LOOP
                    PERFORM pg_stat_clear_snapshot();
                    PERFORM pg_sleep(0.001);
                END LOOP;
            END $$;",
            PATIENCE.as_millis()
        ),
    );
}
