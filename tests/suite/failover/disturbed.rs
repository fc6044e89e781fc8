//! Limits to the harm that other replicas, commands, and people who hold locks can do to a replica.

use std::time::Instant;

use crate::daemon::{Daemon, PAGERDUTY_WAITS, STORED};
use crate::harness::eventually;
use crate::postgres::{Cut, Network, Pair, Place, Proxy, Reach, Schema, Sender};

/// Whoever takes webhooks in needs the tables of events only.
#[tokio::test(flavor = "multi_thread")]
async fn locks_of_other_tables_hold_up_no_webhook() {
    let Some(schema) = Schema::new("disturbed_locks") else { return };
    let daemon = Daemon::start(&schema.url(), "");
    assert_eq!(daemon.client().deliver("QLOCK000").await, 202);
    let held = schema.lock("failure, outbox, turn, replica, progress, lease");
    for n in 1..=20 {
        assert_eq!(daemon.client().deliver(&format!("QLOCK{n:03}")).await, 202);
    }
    drop(held);
    schema.until("NOT EXISTS (SELECT FROM unfolded)");
}

/// One replica hangs in the transaction that stores an event. Another one that gets the same event answers others meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_another_replica_holds_up_holds_up_no_other_event() {
    let Some(schema) = Schema::new("disturbed_event") else { return };
    let (proxy, url) = schema.through_proxy();
    let (hangs, other) = (Daemon::start(&url, ""), Daemon::start(&schema.url(), ""));
    proxy.record();
    assert_eq!(hangs.client().deliver("QHELD000").await, 202);
    let recorded = proxy.recorded();
    let stores = recorded.iter().find(|message| message.contains("QHELD000")).unwrap();
    let place = Place::Before(Sender::Client, 4);
    let (network, reach) = (Network::Stalls, Reach::Connection);
    proxy.cut(Cut { connection: stores.connection, from: "QHELD001", place, network, reach });
    let deliver = |daemon: &Daemon, incident: &str| {
        let (client, incident) = (daemon.client(), incident.to_owned());
        tokio::spawn(async move { client.deliver(&incident).await })
    };
    let first = deliver(&hangs, "QHELD001");
    proxy.until_cut();
    let again = deliver(&other, "QHELD001");
    let began = Instant::now();
    for n in 2..=20 {
        assert_eq!(other.client().deliver(&format!("QHELD{n:03}")).await, 202);
    }
    assert!(began.elapsed() < PAGERDUTY_WAITS, "{:?}", began.elapsed());
    proxy.set(Network::Passes);
    assert_eq!((first.await.unwrap(), again.await.unwrap()), (202, 202));
    assert_eq!(schema.ask(STORED).lines().count(), 21);
}

/// Sessions whose commits wait for a standby are left to the server. There must not be more and more of them.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_standby_connections_do_not_pile_up() {
    let Some(pair) = Pair::start(true) else { return };
    let daemon = Daemon::start(&pair.url(), "");
    assert_eq!(daemon.client().deliver("QPILE000").await, 202);
    pair.link().set(Network::Stalls);
    let mut most = 0;
    let began = Instant::now();
    // Longer than the wait for a commit, after which there is another session.
    while began.elapsed() < 5 * PAGERDUTY_WAITS {
        assert_eq!(daemon.client().deliver("QPILE001").await, 503);
        let count = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep';";
        most = most.max(pair.primary().ask(count).parse::<u32>().unwrap());
    }
    println!("{most} sessions waited at once");
    assert!(most <= 4, "{most}");
    pair.link().set(Network::Passes);
    pair.until_streaming();
    assert_eq!(daemon.client().deliver("QPILE001").await, 202);
}

/// A daemon lives that has another configuration than the command.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_with_another_configuration_changes_nothing_beside_a_daemon() {
    let Some(schema) = Schema::new("disturbed_command") else { return };
    let daemon = Daemon::start(&schema.url(), "");
    assert_eq!(daemon.client().deliver("QCOMMAND1").await, 202);
    schema.until("NOT EXISTS (SELECT FROM unfolded)");
    let turns = "SELECT number FROM turn;";
    let before = schema.ask(turns);
    let other = "[[rule]]\nname = \"noise\"\nurgency = [\"low\"]\naction = \"ignore\"\n";
    let (status, said) = Daemon::command(&schema.url(), other, &["outbox", "retry", "--all"]);
    assert!(status == 1 && said.contains("a daemon with another version or configuration lives"), "{said}");
    assert_eq!(schema.ask(turns), before);
    let (status, said) = Daemon::command(&schema.url(), "", &["outbox", "retry", "--all"]);
    assert_eq!(status, 0, "{said}");
}

/// `read_url` only makes reading lighter.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_for_reading_that_is_gone_is_read_around() {
    let Some(pair) = Pair::start(false) else { return };
    let network = Proxy::to(&pair.standby().socket());
    let read_url = format!("read_url = \"{}\"\n", network.url());
    let daemon = Daemon::start(&pair.url(), &read_url);
    assert_eq!(daemon.client().deliver("QREAD001").await, 202);
    network.set(Network::Resets);
    let client = daemon.client();
    eventually("ready without the standby", async || {
        (client.get("/readyz").await.contains("\"ready\"")
            && client.get("/api/v1/failures").await.contains("QREAD001"))
        .then_some(())
    })
    .await;
    let started = Daemon::start(&pair.url(), &read_url);
    assert!(started.client().get("/api/v1/failures").await.contains("QREAD001"));
}

/// Listings that hang hold up no one who asks if the replica is ready.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_listings_hang_is_ready() {
    let Some(schema) = Schema::new("disturbed_reads") else { return };
    let daemon = Daemon::start(&schema.url(), "");
    let held = schema.lock("failure");
    let mut listings = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let client = daemon.client();
        listings.spawn(async move { client.get("/api/v1/failures").await });
    }
    schema.until("3 <= (SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock')");
    let began = Instant::now();
    let answer = daemon.client().get("/readyz").await;
    assert!(
        answer.contains("\"ready\"") && began.elapsed() < PAGERDUTY_WAITS,
        "{answer} {:?}",
        began.elapsed()
    );
    drop(held);
    listings.join_all().await;
}

/// A connection for reading that is lost while a read begins is made again.
#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_after_the_network_has_stalled() {
    let Some(schema) = Schema::new("disturbed_stall") else { return };
    let (proxy, url) = schema.through_proxy();
    let daemon = Daemon::start(&url, "");
    assert_eq!(daemon.client().deliver("QSTALL01").await, 202);
    proxy.record();
    assert!(daemon.client().get("/api/v1/failures").await.contains("QSTALL01"));
    let recorded = proxy.recorded();
    let reads = recorded.iter().find(|message| message.contains("READ ONLY")).unwrap();
    let place = Place::After(Sender::Client, 1);
    let (network, reach) = (Network::Resets, Reach::Connection);
    proxy.cut(Cut { connection: reads.connection, from: "READ ONLY", place, network, reach });
    let client = daemon.client();
    eventually("the cut", async || {
        client.get("/api/v1/failures").await;
        proxy.has_cut().then_some(())
    })
    .await;
    // Each of the connections for listings is asked.
    for _ in 0..8 {
        assert!(client.get("/api/v1/failures").await.contains("QSTALL01"));
    }
    assert!(client.get("/readyz").await.contains("\"ready\""));
}
