//! Claims of a replica that loses its lease: each row is sent in the end, and no older state stays at the backend.

use super::held::HoldingBackend;
use super::network::ProxiedDaemon;
use crate::corrections::changed;
use crate::daemon::Daemon;
use crate::postgres::{Network, Schema};

/// The failure of these tests, and its incident.
const FAILURE: &str = "pagerduty:QCLAIM01";
const INCIDENT: &str = "QCLAIM01";

/// Lines of the log.
const LOST: &str = "the lease was not renewed in time";
const CUT_OFF: &str = "attempts under way were cut off";

/// Delivers the end of the incident: revision 1.
async fn resolve(daemon: &Daemon) {
    assert_eq!(daemon.client().deliver_type("incident.resolved", INCIDENT).await, 202);
}

/// Delivers that it has not ended: revision 2.
async fn reopen(daemon: &Daemon) {
    let event = changed("incident.reopened", INCIDENT, "01KB-CLAIM", |event| {
        event["occurred_at"] = "2026-11-01T11:00:00Z".into();
    });
    assert_eq!(daemon.client().listening.deliver(&event).await, 202);
}

/// Attempts are cut off while the network to the server is away. The only replica takes its lease again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_in_an_outage_is_sent_again() {
    let mut backend = HoldingBackend::start().await;
    let Some(mut proxied) = ProxiedDaemon::start("claims_cut_off", &backend.entry) else { return };
    resolve(&proxied.daemon).await;
    let held = backend.next().await;
    proxied.proxy.set(Network::Stalls);
    proxied.daemon.line_with(LOST);
    proxied.schema.until("clock_timestamp() > (SELECT max(until) FROM lease) + INTERVAL '10 seconds'");
    proxied.daemon.line_with(CUT_OFF);
    proxied.proxy.set(Network::Passes);
    let again = backend.next().await;
    assert_eq!((held.failure(), again.failure()), (FAILURE, FAILURE));
    again.accept();
    proxied.schema.until("EXISTS (SELECT FROM outbox WHERE state = 'sent' AND attempts = 2)");
    proxied.daemon.kill();
}

/// The answer to a claim is lost, so that nobody knows of it. The network comes back before the lease has run out.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_claimed_before_an_outage_is_sent_after_it() {
    let mut backend = HoldingBackend::start().await;
    let Some(mut proxied) = ProxiedDaemon::start("claims_in_doubt", &backend.entry) else { return };
    resolve(&proxied.daemon).await;
    backend.next().await.accept();
    proxied.schema.until("EXISTS (SELECT FROM outbox WHERE state = 'sent')");
    proxied.proxy.set(Network::Stalls);
    // As such a claim leaves the row.
    proxied.schema.ask(
        "UPDATE outbox SET state = 'pending', due_at_ns = 0, attempts = 2, in_doubt = 2, unknown = 1,
            claimed_by = (SELECT epoch FROM lease WHERE backend = 'metrics');
        UPDATE lease SET until = clock_timestamp() + INTERVAL '1 hour';",
    );
    proxied.daemon.line_with(LOST);
    proxied.proxy.set(Network::Passes);
    let again = backend.next().await;
    assert_eq!(again.failure(), FAILURE);
    // In another epoch, although it had the lease all the time.
    assert_eq!(proxied.schema.ask("SELECT epoch FROM lease WHERE backend = 'metrics';"), "2");
    again.accept();
    proxied.daemon.terminate();
}

/// Two replicas. The first one has the lease.
fn two(schema: &Schema, backend: &HoldingBackend) -> [Daemon; 2] {
    let first = Daemon::start(&schema.url(), &backend.entry);
    schema.until("EXISTS (SELECT FROM lease WHERE backend = 'metrics')");
    [first, Daemon::start(&schema.url(), &backend.entry)]
}

/// The first claim is committed when the table `go_on` has a row.
const SLOW_CLAIM: &str = "
    CREATE TABLE go_on (yes BOOLEAN);
    CREATE FUNCTION hold() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock(471147);
        WHILE NOT EXISTS (SELECT FROM go_on) LOOP
            PERFORM pg_sleep(0.01);
        END LOOP;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON outbox DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.claimed_by = 1) EXECUTE FUNCTION hold();";

/// Frozen between its claim and its request.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_frozen_after_its_claim_sends_nothing() {
    let Some(schema) = Schema::new("claims_frozen") else { return };
    let mut backend = HoldingBackend::start().await;
    let [mut frozen, other] = two(&schema, &backend);
    schema.ask(SLOW_CLAIM);
    // It may send until 10 s after the last renewal, and waits as long for the answer to its claim: that has to be later.
    schema.until(
        "(SELECT until FROM lease WHERE backend = 'metrics') < clock_timestamp() + INTERVAL '13 seconds'",
    );
    resolve(&frozen).await;
    schema.until("EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 471147)");
    frozen.signal("STOP");
    let until = schema.ask("SELECT until FROM lease WHERE backend = 'metrics';");
    schema.ask("INSERT INTO go_on VALUES (TRUE); UPDATE lease SET until = clock_timestamp();");
    backend.next().await.accept();
    reopen(&other).await;
    let newest = backend.next().await;
    assert!(!newest.has_ended());
    newest.accept();
    schema.until(&format!("clock_timestamp() > TIMESTAMPTZ '{until}' - INTERVAL '4900 milliseconds'"));
    frozen.signal("CONT");
    frozen.line_with("another replica");
    frozen.terminate();
    assert_eq!(backend.others(), 0, "the backend got an older state");
    other.terminate();
}

/// A request is under way for so long that another replica has sent newer ones, and has sent the newest once more.
#[tokio::test(flavor = "multi_thread")]
async fn the_newest_state_is_sent_once_more_after_a_late_answer_to_another_replica() {
    let Some(schema) = Schema::new("claims_late") else { return };
    let mut backend = HoldingBackend::start().await;
    let [late, next] = two(&schema, &backend);
    resolve(&late).await;
    let held = backend.next().await;
    schema.ask(
        "UPDATE lease SET generation = (SELECT max(generation) FROM replica), epoch = epoch + 1,
            until = clock_timestamp() + INTERVAL '15 seconds' WHERE backend = 'metrics';",
    );
    backend.next().await.accept();
    reopen(&next).await;
    for _ in 0..2 {
        let newest = backend.next().await;
        assert!(!newest.has_ended());
        newest.accept();
        schema.until("NOT EXISTS (SELECT FROM outbox WHERE claimed_by IS NOT NULL)");
        schema.ask("UPDATE outbox SET due_at_ns = 0 WHERE state = 'pending';");
    }
    schema.until("NOT EXISTS (SELECT FROM outbox WHERE state = 'pending')");
    held.accept();
    let again = backend.next().await;
    assert!(!again.has_ended());
    again.accept();
    late.terminate();
    next.terminate();
}
