//! Random histories of incidents.

use std::time::Duration;

use fastrand::Rng;
use pagerduty_dora::domain::timestamp::Timestamp;
use serde_json::json;

use super::ids::SEED_BITS;
use super::incident::Status;
use super::world::World;

/// Shortest time between two changes of an incident, so that whole seconds tell them apart.
const BETWEEN_CHANGES: Duration = Duration::from_secs(2);
/// The same after a reopen, whose event occurs a second later.
const AFTER_REOPEN: Duration = Duration::from_secs(4);
const SERVICES: [&str; 3] = ["checkout", "search", "payments"];
const PRIORITIES: [Option<&str>; 4] = [None, Some("P1"), Some("P2"), Some("P3")];
const TITLES: [&str; 3] = ["disk full", "vip: checkout down", "error rate above 5 %"];

/// A world with the random history of up to four incidents. It has only changes that PagerDuty tells by webhooks, so
/// somebody who gets all webhooks knows as much as REST does.
pub(crate) fn random_world(seed: u64) -> World {
    history(seed, false)
}

/// The same, also with changes without a webhook: other titles and urgencies, notes that are edited or deleted.
pub(crate) fn random_world_with_silent_changes(seed: u64) -> World {
    history(seed, true)
}

/// A history in the making.
struct History {
    rng: Rng,
    world: World,
    /// Time of the last change.
    at: Timestamp,
    incidents: Vec<Known>,
    is_silent: bool,
}

/// An incident, the time from which it may change again, and its notes.
struct Known {
    id: String,
    free_from: Timestamp,
    notes: Vec<String>,
}

fn history(seed: u64, is_silent: bool) -> World {
    let mut rng = Rng::with_seed(seed);
    let begin = Timestamp::parse("2026-11-01T00:00:00Z").unwrap();
    let at = begin.saturating_add(Duration::from_millis(rng.u64(..1_000)));
    let world = World::new(seed % (1 << SEED_BITS));
    let (incidents, steps) = (rng.usize(1..=4), rng.usize(1..=24));
    let mut history = History { rng, world, at, incidents: Vec::new(), is_silent };
    history.trigger();
    for _ in 0..steps {
        history.at = history.at.saturating_add(Duration::from_millis(history.rng.u64(..60_000)));
        if history.incidents.len() < incidents && history.rng.u8(..4) == 0 {
            history.trigger();
        } else {
            history.change();
        }
    }
    history.world
}

impl History {
    fn trigger(&mut self) {
        let service = SERVICES[self.rng.usize(..2)];
        let urgency = ["high", "low"][self.rng.usize(..2)];
        let (priority, title) = (self.priority(), TITLES[self.rng.usize(..3)]);
        let id = self.world.trigger(self.at, service, urgency, priority, title);
        let free_from = self.at.saturating_add(BETWEEN_CHANGES);
        self.incidents.push(Known { id, free_from, notes: Vec::new() });
    }

    fn priority(&mut self) -> Option<&'static str> {
        PRIORITIES[self.rng.usize(..PRIORITIES.len())]
    }

    /// A change to the same value is none, and PagerDuty sends nothing for it.
    fn other<T: Clone>(&mut self, values: &[T], is_present: impl Fn(&T) -> bool) -> T {
        let others: Vec<&T> = values.iter().filter(|value| !is_present(value)).collect();
        others[self.rng.usize(..others.len())].clone()
    }

    /// Changes a random incident in a random way that its status allows.
    fn change(&mut self) {
        let chosen = self.rng.usize(..self.incidents.len());
        let id = self.incidents[chosen].id.clone();
        self.at = self.at.max(self.incidents[chosen].free_from);
        let status = self.world.lock().incident(&id).status;
        let mut pause = BETWEEN_CHANGES;
        match (self.rng.u8(..13), status) {
            (0..3, Status::Resolved) => {
                self.world.reopen(&id, self.at);
                pause = AFTER_REOPEN;
            }
            (0 | 1, Status::Triggered | Status::Acknowledged) => self.world.resolve(&id, self.at),
            (2 | 3, Status::Triggered) => self.world.acknowledge(&id, self.at),
            (2, Status::Acknowledged) => self.world.unacknowledge(&id, self.at),
            (4, Status::Triggered | Status::Acknowledged) => self.world.escalate(&id, self.at),
            (5, Status::Triggered | Status::Acknowledged) => {
                let present = self.world.lock().incident(&id).service.clone();
                let service = self.other(&SERVICES, |service| *service == present);
                self.world.move_to(&id, self.at, service);
            }
            (6 | 7, Status::Triggered | Status::Acknowledged) => self.merge(&id),
            (8, _) => {
                let present = self.world.lock().incident(&id).priority.clone();
                let priority = self.other(&PRIORITIES, |priority| *priority == present.as_deref());
                self.world.set_priority(&id, self.at, priority);
            }
            (9, _) => {
                let note = ["deployment: checkout-1.42.0", "rolled back", "Resolution Note: fixed"];
                let note = self.world.add_note(&id, self.at, note[self.rng.usize(..3)]);
                self.incidents[chosen].notes.push(note);
            }
            (10, _) => {
                let present = self.world.lock().incident(&id).fields.get("deployment").cloned();
                let values = [json!("checkout-1.42.0"), json!(["a-1", "b-2"]), json!(null)];
                let value = self.other(&values, |value| *value == present.clone().unwrap_or_default());
                self.world.set_fields(&id, self.at, &[("deployment", value)]);
            }
            (11.., _) if self.is_silent => self.change_silently(chosen, status),
            _ => {}
        }
        self.incidents[chosen].free_from = self.at.saturating_add(pause);
    }

    /// Merges an incident into another open one, if there is one.
    fn merge(&mut self, id: &str) {
        let is_open = |known: &&Known| known.id != id && self.world.lock().incident(&known.id).is_open();
        let targets: Vec<String> =
            self.incidents.iter().filter(is_open).map(|known| known.id.clone()).collect();
        if let Some(target) = self.rng.choice(targets) {
            self.world.merge(id, self.at, &target);
        }
    }

    fn change_silently(&mut self, chosen: usize, status: Status) {
        let known = &mut self.incidents[chosen];
        match self.rng.u8(..4) {
            0 => self.world.set_title(&known.id, self.at, TITLES[self.rng.usize(..3)]),
            1 if status != Status::Resolved => {
                self.world.set_urgency(&known.id, self.at, ["high", "low"][self.rng.usize(..2)]);
            }
            2 if !known.notes.is_empty() => {
                let note = known.notes.pop().unwrap_or_default();
                self.world.delete_note(&known.id, self.at, &note);
            }
            _ => {
                if let Some(note) = known.notes.last() {
                    self.world.edit_note(&known.id, self.at, note, "deployment: search-2.0.0");
                }
            }
        }
    }
}
