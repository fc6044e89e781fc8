//! The systemd unit, checked by systemd, and log lines for its journal.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use crate::harness::{PATIENCE, SECRET};
use crate::process::{PROGRAM, Process};

#[test]
fn systemd_accepts_the_unit() {
    let present =
        Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success());
    if !present {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "systemd-analyze is missing");
        println!("skipped: systemd-analyze is not installed");
        return;
    }
    // The program is not installed, so the unit is checked with the program that was just built.
    let unit = include_str!("../../packaging/systemd/pagerduty-dora.service");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pagerduty-dora.service");
    let installed = "/usr/bin/pagerduty-dora";
    assert!(unit.contains(installed));
    std::fs::write(&file, unit.replace(installed, env!("CARGO_BIN_EXE_pagerduty-dora"))).unwrap();
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output().unwrap();
    let stderr = String::from_utf8(verified.stderr).unwrap();
    let about_us: Vec<&str> = stderr.lines().filter(|line| line.contains("pagerduty-dora.service")).collect();
    assert!(verified.status.success() && about_us.is_empty(), "{stderr}");
}

/// Lines of a daemon that cannot bind its address, if this is the journal's stream or another one.
fn lines_of_a_failed_start(folder: &Path, is_journal: bool) -> Vec<String> {
    let (config, log) = (folder.join("config.toml"), folder.join("log"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    std::fs::write(&config, format!("[server]\nlisten = \"{address}\"\n[log]\nlevel = \"debug\"\n")).unwrap();
    let file = File::create(&log).unwrap();
    let stream = file.metadata().unwrap();
    let inode = stream.ino() + u64::from(!is_journal);
    let status = Command::new(env!("CARGO_BIN_EXE_pagerduty-dora"))
        .args(["--config", config.to_str().unwrap(), "serve"])
        .env("PAGERDUTY_SIGNING_SECRET", SECRET)
        .env("JOURNAL_STREAM", format!("{}:{inode}", stream.dev()))
        .env_remove("RUST_LOG")
        .stderr(file)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    std::fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn lines_for_the_journal_begin_with_their_priority() {
    let folder = tempfile::tempdir().unwrap();
    let lines = lines_of_a_failed_start(folder.path(), true);
    let error = lines.last().unwrap();
    assert!(error.starts_with("<3>{") && error.contains("another program is listening"), "{lines:#?}");
    assert!(lines.iter().all(|line| line.starts_with('<')), "{lines:#?}");
    let elsewhere = lines_of_a_failed_start(folder.path(), false);
    assert!(elsewhere.iter().all(|line| line.starts_with('{')), "{elsewhere:#?}");
}

#[test]
fn the_watchdog_is_fed_while_the_daemon_works() {
    let folder = tempfile::tempdir().unwrap();
    let (config, socket) = (folder.path().join("config.toml"), folder.path().join("notify"));
    let text = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let backend = "[[backend]]\nname = \"metrics\"\nkind = \"http\"\nurl = \"http://127.0.0.1:9/\"\n";
    std::fs::write(&config, format!("{text}{backend}")).unwrap();
    let messages = UnixDatagram::bind(&socket).unwrap();
    messages.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "150000");
    let process = Process::spawn_by(command, &config);
    let next = || {
        let mut message = [0; 256];
        let length = messages.recv(&mut message).expect("no message for systemd");
        String::from_utf8(message[..length].to_vec()).unwrap().trim().to_owned()
    };
    assert_eq!([next(), next(), next()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    process.terminate();
    assert!((0..100).any(|_| next() == "STOPPING=1"));
}
