//! A store that cannot be written or read: readiness, dashboard and metrics show it, and the log stays short.

use crate::engine::{is_postgres, ports_and_store};
use crate::harness::{Daemon, event_of};
use crate::process::Process;
use crate::store_edit;

#[tokio::test]
async fn a_store_that_cannot_commit_shows_in_readyz_dashboard_and_metrics() {
    let daemon = Daemon::start("").await;
    assert_eq!(daemon.get("/readyz").await.status, 200);
    store_edit::refuse_events(&daemon.store);
    for n in 0..3 {
        assert_eq!(daemon.deliver(event_of("incident.triggered", &format!("QFULL{n}"))).await.status, 503);
    }
    let ready = daemon.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.json()["detail"].as_str().unwrap().contains("no room for it"), "{ready:?}");
    let page = daemon.get("/").await.body;
    assert!(
        page.contains("The store has not been able to commit for")
            && page.contains("3 webhooks answered 503"),
        "{page}"
    );
    let metrics = daemon.get("/metrics").await.body;
    assert!(metrics.contains("\npagerduty_dora_writes_refused_total 3\n"), "{metrics}");
}

#[tokio::test]
async fn the_sizes_of_the_store_are_shown() {
    let daemon = Daemon::start("").await;
    daemon.expect(event_of("incident.triggered", "QSIZES"), "accepted").await;
    let metrics = daemon.get("/metrics").await.body;
    let of_files = ["store_bytes{file=\"wal\"}", "store_free_bytes"];
    // A server of PostgreSQL tells the size of its database only.
    let of_files = of_files.iter().filter(|_| !is_postgres());
    for name in std::iter::once(&"store_bytes{file=\"database\"}").chain(of_files) {
        let name = format!("pagerduty_dora_{name} ");
        let value =
            metrics.lines().find_map(|line| line.strip_prefix(&*name)).unwrap_or_else(|| panic!("{metrics}"));
        assert!(value.parse::<u64>().unwrap() > 0, "{name} {value}");
    }
    let page = daemon.get("/").await.body;
    assert!(page.contains("The database takes "), "{page}");
    assert!(is_postgres() || page.contains(" free on its disk"), "{page}");
}

#[tokio::test]
async fn many_webhooks_that_cannot_be_stored_are_one_line_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, ports_and_store(folder.path())).unwrap();
    let (process, listening) = Process::start(&config);
    store_edit::refuse_events(&folder.path().join("pagerduty-dora.db"));
    for n in 0..100 {
        assert_eq!(listening.deliver(&event_of("incident.triggered", &format!("QFULL{n}"))).await, 503);
    }
    let log = process.terminate();
    let about: Vec<&str> = log.lines().filter(|line| line.contains("no room for it")).collect();
    assert_eq!(about.len(), 1, "{log}");
    assert!(log.lines().count() < 10, "{log}");
}

#[tokio::test]
async fn a_store_that_cannot_be_read_hides_none_of_the_programs_own_metrics() {
    let daemon = Daemon::start("").await;
    let failures = async || {
        let answer = daemon.get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("pagerduty_dora_build_info{"), "{}", answer.body);
        let line =
            answer.body.lines().find(|line| line.starts_with("pagerduty_dora_store_read_failures_total"));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(failures().await, "0");
    // The reader cannot read these tables, as if they were damaged.
    store_edit::hide_events(&daemon.store);
    assert_eq!(failures().await, "1");
    let ready = daemon.get("/readyz").await;
    assert_eq!((ready.status, ready.body.contains("cannot be read")), (503, true), "{ready:?}");
}
