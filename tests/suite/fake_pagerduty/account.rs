//! Properties of the account that a world belongs to, and its subscriptions.

use pagerduty_dora::domain::timestamp::Timestamp;

use super::subscription::{Filter, Subscription};
use super::world::World;

impl World {
    /// Sets the present time, on which the default windows of lists depend.
    pub(crate) fn set_now(&self, now: Timestamp) {
        self.lock().now = now;
    }

    /// Takes analytics out of the plan: requests are answered 403.
    pub(crate) fn has_no_analytics(&self) {
        self.lock().has_analytics = false;
    }

    /// Takes the right to change anything from the token.
    pub(crate) fn is_read_only(&self) {
        self.lock().is_read_only = true;
    }

    /// Makes the log have a resolve for each merge from now on. PagerDuty does not document whether it has.
    pub(crate) fn logs_merges(&self) {
        self.lock().logs_merges = true;
    }

    /// `true` if PagerDuty has disabled a subscription.
    pub(crate) fn is_disabled(&self, id: &str) -> bool {
        self.lock().subscription(id).unwrap().temporarily_disabled
    }

    /// Disables a subscription, as PagerDuty does after three webhooks that were dropped.
    pub(crate) fn disable(&self, id: &str) {
        self.lock().subscription(id).unwrap().temporarily_disabled = true;
    }

    /// Switches a subscription off, as a person does.
    pub(crate) fn switch_off(&self, id: &str) {
        self.lock().subscription(id).unwrap().active = false;
    }

    /// Adds a subscription of the whole account to these events, and returns its id.
    pub(crate) fn subscribe(&self, url: &str, secret: &str, events: &[&str]) -> String {
        let mut state = self.lock();
        let id = state.ids.other();
        state.subscriptions.push(Subscription {
            id: id.clone(),
            url: url.to_owned(),
            secret: secret.to_owned(),
            description: "Failures".to_owned(),
            events: events.iter().map(ToString::to_string).collect(),
            filter: Filter { kind: "account_reference".to_owned(), id: None },
            active: true,
            temporarily_disabled: false,
            dropped: 0,
        });
        id
    }
}
