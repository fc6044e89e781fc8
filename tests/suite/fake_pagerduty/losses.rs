//! Losses of webhooks: random ones, and those that REST cannot make good.

use fastrand::Rng;

use super::webhooks::Webhook;
use super::world::World;

/// The webhooks of a world as a daemon may get them: some are lost, some come twice, late, or out of order.
pub(crate) fn webhooks_lost(world: &World, seed: u64) -> Vec<Webhook> {
    let mut rng = Rng::with_seed(seed);
    let lost = [0.0, 0.2, 0.5, 0.9, 1.0][rng.usize(..5)];
    let late = [0.0, 0.3, 1.0][rng.usize(..3)];
    let mut arrivals = Vec::new();
    for (number, webhook) in world.webhooks().into_iter().enumerate() {
        if rng.f64() < lost {
            continue;
        }
        let times = if rng.u8(..5) == 0 { 2 } else { 1 };
        for _ in 0..times {
            let delay = if rng.f64() < late { rng.usize(..30) } else { 0 };
            arrivals.push((number + delay, webhook.clone()));
        }
    }
    arrivals.sort_by_key(|(at, _)| *at);
    arrivals.into_iter().map(|(_, webhook)| webhook).collect()
}

/// The webhooks of a world whose facts REST never tells, in order. A daemon that misses one of them cannot be right.
///
/// - A reopen has no entry in the log. REST shows its time only until the status changes again.
/// - A merge has no entry in the log, either, and a later reopen erases the time of the resolve.
pub(crate) fn irreplaceable_webhooks(world: &World) -> Vec<Webhook> {
    const STATUS_CHANGES: [&str; 5] = [
        "incident.acknowledged",
        "incident.unacknowledged",
        "incident.escalated",
        "incident.resolved",
        "incident.reopened",
    ];
    let all = world.webhooks();
    let is_irreplaceable = |(at, webhook): &(usize, &Webhook)| {
        let mut later = all[at + 1..].iter().filter(|later| later.incident == webhook.incident);
        match webhook.event_type {
            "incident.reopened" => later.any(|later| STATUS_CHANGES.contains(&later.event_type)),
            "incident.resolved" if webhook.body.contains("merge_resolve_reason") => {
                later.any(|later| later.event_type == "incident.reopened")
            }
            _ => false,
        }
    };
    all.iter().enumerate().filter(is_irreplaceable).map(|(_, webhook)| webhook.clone()).collect()
}
