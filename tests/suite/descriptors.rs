//! A process that may open few files.

use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::engine::ports_and_store;
use crate::harness::{PATIENCE, client, event_of};
use crate::process::{PROGRAM, Process};

/// Connections that are opened and left alone.
const IDLE: usize = 2_000;

/// Bytes that a connection sends before it stops.
const BEGINNINGS: [&str; 3] = [
    "",
    "POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\n",
    "POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
];

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_leave_room_for_webhooks_and_people() {
    let limits = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, maximum: limits.maximum }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, ports_and_store(folder.path())).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 1024; exec \"$0\" \"$@\"", PROGRAM]);
    let mut process = Process::spawn_by(command, &file);
    let listening = process.ready(PATIENCE).expect("the daemon gets ready");
    let mut idle = Vec::new();
    for index in 0..IDLE {
        let mut stream = TcpStream::connect(listening.public).await.unwrap();
        stream.write_all(BEGINNINGS[index % BEGINNINGS.len()].as_bytes()).await.unwrap();
        idle.push(stream);
        if index % 100 == 0 {
            assert_eq!(
                listening.deliver(&event_of("incident.resolved", &format!("QIDLE{index:06}"))).await,
                202
            );
            let ready = client().get(format!("http://{}/readyz", listening.admin)).send().await.unwrap();
            assert_eq!(ready.status(), 200);
        }
    }
    let metrics = client()
        .get(format!("http://{}/metrics", listening.admin))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let refused = |reason: &str| {
        let series =
            format!("pagerduty_dora_connections_refused_total{{listener=\"public\",reason=\"{reason}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&series)).unwrap();
        line.parse::<usize>().unwrap()
    };
    // The others have expired before they had to give way, if the machine is slow.
    assert!(refused("limit") > 0, "{metrics}");
    assert_eq!(refused("descriptors"), 0, "{metrics}");
    let log = process.terminate();
    assert!(log.contains("raise the limit") && !log.contains("could not be accepted"), "{log}");
}
