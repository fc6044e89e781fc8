//! The systemd unit, checked by systemd, and log lines for its journal.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

use crate::engine::ports_and_store;
use crate::harness::{PATIENCE, SECRET, event_of, eventually};
use crate::process::{PROGRAM, Process};

/// `true` if a tool of systemd is installed.
fn has(tool: &str) -> bool {
    let has = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if !has {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "{tool} is missing");
        println!("skipped: {tool} is not installed");
    }
    has
}

#[test]
fn systemd_accepts_the_units() {
    if !has("systemd-analyze") {
        return;
    }
    // The program is not installed, so the unit is checked with the program that was just built.
    let unit = include_str!("../../packaging/systemd/pagerduty-dora.service");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pagerduty-dora.service");
    let installed = "/usr/bin/pagerduty-dora";
    assert!(unit.contains(installed));
    std::fs::write(&file, unit.replace(installed, env!("CARGO_BIN_EXE_pagerduty-dora"))).unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(&file);
    for socket in ["pagerduty-dora-webhooks.socket", "pagerduty-dora-admin.socket"] {
        let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd").join(socket);
        std::fs::copy(unit, folder.path().join(socket)).unwrap();
        verify.arg(folder.path().join(socket));
    }
    let verified = verify.output().unwrap();
    let stderr = String::from_utf8(verified.stderr).unwrap();
    let about_us: Vec<&str> = stderr.lines().filter(|line| line.contains("pagerduty-dora")).collect();
    assert!(verified.status.success() && about_us.is_empty(), "{stderr}");
}

/// Lines of a daemon that cannot bind its address, if this is the journal's stream or another one.
fn lines_of_a_failed_start(folder: &Path, is_journal: bool) -> Vec<String> {
    let (config, log) = (folder.join("config.toml"), folder.join("log"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = ports_and_store(folder).replacen("127.0.0.1:0", &address.to_string(), 1);
    std::fs::write(&config, text + "[log]\nlevel = \"debug\"\n").unwrap();
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
    let text = ports_and_store(folder.path());
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

#[tokio::test]
async fn sockets_that_systemd_passes_take_the_place_of_the_addresses() {
    if !has("systemd-socket-activate") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    // No machine has these addresses.
    let text = ports_and_store(folder.path()).replacen("127.0.0.1:0", "192.0.2.1:8080", 1);
    std::fs::write(&config, text.replacen("127.0.0.1:0", "192.0.2.1:8081", 1)).unwrap();
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (webhooks, admin) = (free(), free());
    let activate = |names: &str| {
        let mut command = Command::new("systemd-socket-activate");
        command.args(["-l", &admin.to_string(), "-l", &webhooks.to_string(), "--fdname", names]);
        command.args(["-E", "PAGERDUTY_SIGNING_SECRET", "-E", "RUST_LOG", PROGRAM]);
        let process = Process::spawn_by(command, &config);
        let connection = eventually("a connection that starts the daemon", async || {
            tokio::net::TcpStream::connect(webhooks).await.ok()
        });
        (process, connection)
    };
    let (mut process, connection) = activate("admin:webhooks");
    drop(connection.await);
    let listening = process.ready(PATIENCE).expect("the daemon gets ready");
    assert_eq!((listening.public, listening.admin), (webhooks, admin));
    assert_eq!(listening.deliver(&event_of("incident.resolved", "QPASSED001")).await, 202);
    process.terminate();
    let (mut process, connection) = activate("admin:other");
    drop(connection.await);
    let (status, stderr) = process.wait();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("a socket with the name \\\"other\\\""), "{stderr}");
}
