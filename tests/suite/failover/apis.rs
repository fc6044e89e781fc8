//! Another replica takes over the questions to PagerDuty.

use pagerduty_dora::clock::{Clock, SystemClock};
use pagerduty_dora::sources::pagerduty::own_subscription::wanted_events;

use crate::daemon::{Client, Daemon};
use crate::fake_pagerduty::{FakePagerDuty, World};
use crate::harness::eventually;
use crate::postgres::Schema;

/// Ends the lease. The replica that has it renews it every five seconds, and the others try to take it each second.
const END_LEASE: &str = "UPDATE lease SET until = clock_timestamp() WHERE backend = '(APIs)';";

/// Words of the dashboard of a replica that asks, and of one that does not.
const SWITCHED_OFF: &str = "is switched off in PagerDuty";
const ANOTHER_ASKS: &str = "Another replica compares the incidents";

/// Waits until this replica asks PagerDuty, or until it does not.
async fn until_asks(client: &Client, asks: bool) {
    let disabled = format!("\npagerduty_dora_subscription_disabled {}\n", u8::from(asks));
    let lease = format!("\npagerduty_dora_leases{{backend=\"(APIs)\"}} {}\n", u8::from(asks));
    eventually(format!("asks: {asks}"), async || {
        let metrics = client.get("/metrics").await;
        (metrics.contains(&disabled) && metrics.contains(&lease)).then_some(())
    })
    .await;
    eventually(format!("the page says that it asks: {asks}"), async || {
        let page = client.get("/").await;
        (page.contains(SWITCHED_OFF) == asks && page.contains(ANOTHER_ASKS) != asks).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_does_not_ask_any_more_says_nothing_of_the_subscription() {
    let Some(schema) = Schema::new("failover_apis") else { return };
    let world = World::new(1);
    world.set_now(SystemClock.now());
    let wanted: Vec<&str> = wanted_events().collect();
    let id = world.subscribe("https://dora.example/webhooks/pagerduty", "a-secret-of-16-chars", &wanted);
    world.switch_off(&id);
    let pagerduty = FakePagerDuty::start(world).await;
    let first = Daemon::start(&schema.url(), &pagerduty.section());
    until_asks(&first.client(), true).await;
    let second = Daemon::start(&schema.url(), &pagerduty.section());
    until_asks(&second.client(), false).await;
    schema.ask(END_LEASE);
    until_asks(&second.client(), true).await;
    until_asks(&first.client(), false).await;
    first.terminate();
    second.terminate();
}
