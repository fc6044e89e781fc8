//! Controls: without one of its safeguards the store loses an event, or a backend is sent the same twice. Each safeguard is
//! taken away inside the database. The same steps with it show that nothing else is the reason.

use std::collections::BTreeSet;

use super::held::HoldingBackend;
use crate::daemon::{Client, Daemon};
use crate::postgres::{Cut, Network, Place, Reach, Schema, Sender};

/// Delivers the end of an incident.
async fn complete(client: &Client, incident: &str) {
    assert_eq!(client.deliver_type("incident.resolved", incident).await, 202);
}

/// Condition in SQL: the incident has a failure.
fn is_folded(incident: &str) -> String {
    format!("EXISTS (SELECT FROM failure WHERE failure_id = 'pagerduty:{incident}')")
}

/// In place of the table: the greatest id of a folded event, as if ids were committed in their order.
const WATERMARK: &str = "
    ALTER TABLE unfolded RENAME TO stored;
    CREATE TABLE watermark (folded BIGINT NOT NULL);
    INSERT INTO watermark VALUES (0);
    CREATE VIEW unfolded AS SELECT event, subject_key FROM stored WHERE event > (SELECT folded FROM watermark);
    CREATE FUNCTION add() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO stored VALUES (NEW.event, NEW.subject_key);
        RETURN NEW;
    END $$;
    CREATE FUNCTION rise() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
        UPDATE watermark SET folded = greatest(folded, OLD.event);
        RETURN OLD;
    END $$;
    CREATE TRIGGER add INSTEAD OF INSERT ON unfolded FOR EACH ROW EXECUTE FUNCTION add();
    CREATE TRIGGER rise INSTEAD OF DELETE ON unfolded FOR EACH ROW EXECUTE FUNCTION rise();";

/// Delivers two webhooks to two replicas. The one with the lower id is committed after the other one is folded. Returns
/// the store once a later webhook is folded, too.
async fn committed_out_of_order(name: &str, change: &str) -> Option<Schema> {
    let schema = Schema::new(name)?;
    let (proxy, url) = schema.through_proxy();
    let slow = Daemon::start(&url, "");
    schema.ask(change);
    let fast = Daemon::start(&schema.url(), "");
    proxy.record();
    assert_eq!(slow.client().deliver("QORDER00").await, 202);
    let recorded = proxy.recorded();
    let stores = recorded.iter().find(|message| message.contains("QORDER00")).unwrap();
    // Three messages run the statement that gives the event its id.
    let place = Place::Before(Sender::Client, 4);
    let (network, reach) = (Network::Stalls, Reach::Connection);
    proxy.cut(Cut { connection: stores.connection, from: "QORDER01", place, network, reach });
    let client = slow.client();
    let late = tokio::spawn(async move { client.deliver("QORDER01").await });
    proxy.until_cut();
    assert_eq!(fast.client().deliver("QORDER02").await, 202);
    schema.until(&is_folded("QORDER02"));
    proxy.set(Network::Passes);
    assert_eq!(late.await.unwrap(), 202);
    assert_eq!(fast.client().deliver("QORDER03").await, 202);
    schema.until(&is_folded("QORDER03"));
    Some(schema)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_committed_after_a_later_one_is_folded() {
    let Some(schema) = committed_out_of_order("order_of_commits", "").await else { return };
    schema.until(&is_folded("QORDER01"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watermark_in_place_of_the_table_loses_an_event() {
    let Some(schema) = committed_out_of_order("order_watermark", WATERMARK).await else { return };
    schema.until("NOT EXISTS (SELECT FROM unfolded)");
    assert_eq!(schema.ask(&format!("SELECT {};", is_folded("QORDER01"))), "f");
}

/// Each holder of a lease has the same epoch, and does not release the claims of before.
const ONE_EPOCH: &str = "
    CREATE FUNCTION keep_claim() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
        NEW.claimed_by := coalesce(NEW.claimed_by, OLD.claimed_by);
        RETURN NEW;
    END $$;
    CREATE TRIGGER keep_claim BEFORE UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION keep_claim();
    CREATE FUNCTION keep_epoch() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
        NEW.epoch := OLD.epoch;
        RETURN NEW;
    END $$;
    CREATE TRIGGER keep_epoch BEFORE UPDATE ON lease FOR EACH ROW EXECUTE FUNCTION keep_epoch();";

/// Kills a replica while it sends a failure, and completes another failure when its lease has ended. Returns the failures
/// that the next replica sends first, which may begin in any order.
async fn sent_after_a_kill<const N: usize>(name: &str, change: &str) -> Option<BTreeSet<String>> {
    let schema = Schema::new(name)?;
    let mut backend = HoldingBackend::start().await;
    let killed = Daemon::start(&schema.url(), &backend.entry);
    schema.ask(change);
    complete(&killed.client(), "QCLAIM01").await;
    assert_eq!(backend.next().await.failure(), "pagerduty:QCLAIM01");
    killed.kill();
    let next = Daemon::start(&schema.url(), &backend.entry);
    complete(&next.client(), "QCLAIM02").await;
    schema.until(&is_folded("QCLAIM02"));
    schema.ask("UPDATE lease SET until = clock_timestamp();");
    let mut sent = BTreeSet::new();
    for _ in 0..N {
        sent.insert(backend.next().await.failure().to_owned());
    }
    next.kill();
    Some(sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_replica_was_sending_is_sent_by_another_one() {
    let Some(sent) = sent_after_a_kill::<2>("claims_of_an_epoch", "").await else { return };
    assert!(sent.contains("pagerduty:QCLAIM01"));
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_without_an_epoch_leave_a_failure_unsent() {
    let Some(sent) = sent_after_a_kill::<1>("claims_without_epoch", ONE_EPOCH).await else { return };
    assert!(!sent.contains("pagerduty:QCLAIM01"));
}

/// Two replicas share everything except for the table of leases, so that both send.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_both_send_send_a_failure_twice() {
    let Some(shared) = Schema::new("leases_shared") else { return };
    Daemon::start(&shared.url(), "").terminate();
    let mut backend = HoldingBackend::start().await;
    let replicas = ["leases_one", "leases_other"].map(|name| {
        let own = Schema::new(name).unwrap();
        own.ask("CREATE TABLE lease (LIKE leases_shared.lease INCLUDING ALL);");
        own
    });
    // A claim of one is not one of the other.
    replicas[1].ask("INSERT INTO lease VALUES ('metrics', 0, 1000, clock_timestamp());");
    let daemons = replicas.map(|own| Daemon::start(&own.url_with(&shared), &backend.entry));
    complete(&daemons[0].client(), "QTWICE01").await;
    assert_eq!(backend.next().await.failure(), "pagerduty:QTWICE01");
    assert_eq!(backend.next().await.failure(), "pagerduty:QTWICE01");
    daemons.into_iter().for_each(Daemon::kill);
}
