//! The network to the server is cut at each message of the transactions that decide, and of those that send.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::network::ProxiedDaemon;
use crate::daemon::Client;
use crate::harness::{Backend, eventually};
use crate::kill_under_load::number;
use crate::postgres::{Cut, Network, Place, Reach, Sender};

/// Number of messages of each side, from the beginning of a turn, at which the network is cut. The transactions that fold
/// an event and send its failure have about as many.
const MESSAGES: u64 = 120;
/// Distance between two cuts. `STEP=1` cuts at each message.
const STEP: u64 = 12;
/// Number of messages that each side sends at least while the three incidents of a stalled turn are folded and sent.
const FEWEST: usize = 48;
/// Distance between two stalls. `STALL_STEP=1` stalls at each message.
const STALL_STEP: u64 = 48;
/// The answer to a COMMIT is waited for 15 seconds. After that, rows are claimed in the next epoch, five seconds later.
const LONGEST_STALL: Duration = Duration::from_secs(40);
/// Number of stalled turns at the same time.
const AT_ONCE: usize = 12;

/// Events of each incident.
const EVENTS: [&str; 2] = ["incident.triggered", "incident.resolved"];

/// Text in the message that begins a turn.
const TURN: &str = "UPDATE turn";

/// The connection that decides, found by an incident of its own.
async fn deciding(proxied: &mut ProxiedDaemon) -> usize {
    proxied.proxy.record();
    let incident = proxied.incident();
    proxied.deliver("incident.triggered", &incident).await;
    eventually("a turn", async || {
        tokio::task::yield_now().await;
        let recorded = proxied.proxy.recorded();
        recorded.iter().rfind(|message| message.contains(TURN)).map(|message| message.connection)
    })
    .await
}

/// Waits until the backend has the failures of these incidents in their last state.
async fn until_completed(backend: &mut Backend, incidents: &[String]) {
    let mut missing: BTreeSet<String> =
        incidents.iter().map(|incident| format!("pagerduty:{incident}")).collect();
    while !missing.is_empty() {
        let failure = backend.next_within(LONGEST_STALL).await.attributes();
        if failure["finished_at"].is_i64() {
            missing.remove(failure["id"].as_str().unwrap());
        }
    }
}

/// A failure without what names it, or depends on how often it was folded.
fn comparable(mut failure: Value) -> Value {
    for key in ["id", "incident", "revision", "url", "forwarded"] {
        failure.as_object_mut().unwrap().remove(key).unwrap_or_else(|| panic!("{key}"));
    }
    failure
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_at_any_message_of_a_turn_changes_no_failure() {
    let mut backend = Backend::start().await;
    let Some(mut proxied) = ProxiedDaemon::start("failover_turn", &backend.entry("metrics")) else { return };
    let step = usize::try_from(number("STEP").unwrap_or(STEP)).unwrap();
    let (mut resolved, mut cuts, mut made) = (Vec::new(), 0, 0);
    for sender in [Sender::Client, Sender::Server] {
        for n in (0..MESSAGES).step_by(step) {
            let connection = deciding(&mut proxied).await;
            let place = Place::Before(sender, usize::try_from(n).unwrap() + 1);
            let (network, reach) = (Network::Resets, Reach::Connection);
            // The first incident has a network without a fault.
            if n > 0 {
                proxied.proxy.cut(Cut { connection, from: TURN, place, network, reach });
                cuts += 1;
            }
            let incident = proxied.incident();
            for event_type in EVENTS {
                proxied.deliver(event_type, &incident).await;
            }
            until_completed(&mut backend, std::slice::from_ref(&incident)).await;
            made += usize::from(n > 0 && proxied.proxy.has_cut());
            resolved.push(incident);
        }
    }
    println!("{made} of {cuts} cuts were made");
    assert!(made * 4 > cuts * 3, "{made} of {cuts}: the others come too late");
    proxied.check();
    assert_all_alike(proxied.daemon.client(), &resolved).await;
}

/// Stalls a turn at a place, in one direction or in both. Webhooks are taken in meanwhile, and are folded in a turn after
/// it.
async fn stall_turn(name: String, place: Place, network: Network) {
    let mut backend = Backend::start().await;
    let Some(mut proxied) = ProxiedDaemon::start(&name, &backend.entry("metrics")) else { return };
    let connection = deciding(&mut proxied).await;
    proxied.proxy.cut(Cut { connection, from: TURN, place, network, reach: Reach::Connection });
    let mut resolved = Vec::new();
    for _ in 0..3 {
        let incident = proxied.incident();
        for event_type in EVENTS {
            proxied.deliver(event_type, &incident).await;
        }
        resolved.push(incident);
    }
    eventually("the turn", async || proxied.proxy.has_cut().then_some(())).await;
    let began = Instant::now();
    until_completed(&mut backend, &resolved).await;
    println!("{network:?} {place:?}: the next turn has ended after {:?}", began.elapsed());
    proxied.check();
    assert_all_alike(proxied.daemon.client(), &resolved).await;
}

/// The places where a turn is stalled: at its begin, and then at each so many messages of a side.
fn places_to_stall(step: usize) -> Vec<Place> {
    let begin = [Place::After(Sender::Client, 1), Place::Before(Sender::Client, 2)];
    let numbers = (step..=FEWEST).step_by(step);
    let later = numbers.flat_map(|n| [Place::Before(Sender::Client, n), Place::Before(Sender::Server, n)]);
    begin.into_iter().chain(later).collect()
}

/// Neither side is told that the network is cut: the turn ends with the client's limit for an answer, or with the server's
/// limit for idle transactions.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_hangs_ends_and_refuses_no_webhook() {
    let step = usize::try_from(number("STALL_STEP").unwrap_or(STALL_STEP)).unwrap();
    let one_way = [Sender::Client, Sender::Server].map(Network::PassesOnlyFrom);
    let networks = one_way.into_iter().chain([Network::Stalls]);
    let places = places_to_stall(step);
    let stalls = networks.flat_map(|network| places.iter().map(move |place| (network, *place)));
    let stalled = stalls.enumerate().map(|(number, (network, place))| {
        // On threads of their own, because some of the steps block.
        move || Handle::current().block_on(stall_turn(format!("failover_stalls_{number}"), place, network))
    });
    // Some at once, because each of them waits for seconds.
    let ended = stream::iter(stalled).map(spawn_blocking).buffer_unordered(AT_ONCE);
    ended.for_each(async |ended| ended.unwrap()).await;
}

/// Checks that each of these incidents has one failure, and that all of these say the same.
async fn assert_all_alike(client: Client, resolved: &[String]) {
    let listing: Value = serde_json::from_str(&client.get("/api/v1/failures?limit=1000").await).unwrap();
    let all = listing["failures"].as_array().unwrap();
    let failures: Vec<Value> = resolved
        .iter()
        .map(|incident| {
            let own: Vec<&Value> = all.iter().filter(|failure| failure["incident"] == **incident).collect();
            assert_eq!(own.len(), 1, "{incident}");
            comparable(own[0].clone())
        })
        .collect();
    assert_eq!(failures[0]["state"], "completed");
    assert!(failures.iter().all(|failure| *failure == failures[0]), "{failures:#?}");
}
