//! A fake of PagerDuty: an account whose incidents a test changes, with the webhooks that PagerDuty would send for the
//! changes, and the REST API that answers by the present state.
//!
//! ```text
//! let world = World::new(1);
//! let incident = world.trigger(time("2026-11-01T10:00:00.412Z"), "checkout", "high", Some("P1"), "disk full");
//! world.resolve(&incident, time("2026-11-01T10:42:10.500Z"));
//! let pagerduty = FakePagerDuty::start(world).await;
//! let daemon = Daemon::start(&pagerduty.section()).await;
//! daemon.expect(pagerduty.world.webhooks()[0].body.as_str(), "accepted").await;
//! // The daemon repairs the lost webhook.
//! assert_eq!(pagerduty.refusals(), [""; 0]);
//! ```
//!
//! Where PagerDuty documents nothing, the fake does what is harder for the daemon: see `World::logs_merges`, and
//! `World::delete`.

mod account;
mod delivery;
mod direct;
mod faults;
mod ids;
mod incident;
mod losses;
mod objects;
mod random;
mod rest;
mod server;
mod state;
mod subscription;
mod tests;
mod times;
mod webhooks;
mod world;

pub(crate) use self::delivery::Outcome;
pub(crate) use self::faults::{Fault, RateLimit};
pub(crate) use self::losses::{irreplaceable_webhooks, webhooks_lost};
pub(crate) use self::random::{random_world, random_world_with_silent_changes};
pub(crate) use self::rest::TOKEN;
pub(crate) use self::server::FakePagerDuty;
pub(crate) use self::server::HalfBody;
pub(crate) use self::webhooks::Webhook;
pub(crate) use self::world::World;
