//! A subscription to webhooks.

use serde_json::{Value, json};

use super::webhooks::Webhook;

/// Number of webhooks that may be dropped in a row before PagerDuty disables the subscription.
const DROPS_BEFORE_DISABLED: u32 = 3;

/// Incidents whose events a subscription gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    /// `account_reference`, `service_reference` or `team_reference`.
    pub(super) kind: String,
    /// Id of the service or team.
    pub(super) id: Option<String>,
}

/// A subscription, as its account knows it.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) secret: String,
    pub(super) description: String,
    pub(super) events: Vec<String>,
    pub(super) filter: Filter,
    /// Switch of the account's people.
    pub(super) active: bool,
    /// Switch of PagerDuty.
    pub(super) temporarily_disabled: bool,
    /// Number of webhooks that were dropped since the last accepted one.
    pub(super) dropped: u32,
}

impl Subscription {
    /// `true` if it gets this webhook. A ping needs no filter.
    pub(super) fn wants(&self, webhook: &Webhook) -> bool {
        let is_wanted = self.events.iter().any(|wanted| wanted == webhook.event_type);
        let passes = match (self.filter.kind.as_str(), self.filter.id.as_deref()) {
            ("service_reference", id) => id == Some(&webhook.service),
            ("team_reference", id) => id == Some(&webhook.team),
            _ => true,
        };
        is_wanted && passes
    }

    /// `true` if webhooks are sent at all.
    pub(super) fn is_on(&self) -> bool {
        self.active && !self.temporarily_disabled
    }

    /// Counts a webhook that was accepted.
    pub(super) fn accepted(&mut self) {
        self.dropped = 0;
    }

    /// Counts a webhook that was dropped.
    pub(super) fn dropped(&mut self) {
        self.dropped += 1;
        self.temporarily_disabled |= self.dropped >= DROPS_BEFORE_DISABLED;
    }

    /// Lets it send again.
    pub(super) fn enable(&mut self) {
        self.temporarily_disabled = false;
        self.dropped = 0;
    }

    /// The object in an answer. Only the answer to its creation has the secret.
    pub(super) fn json(&self, shows_secret: bool) -> Value {
        let mut filter = json!({ "type": self.filter.kind });
        if let Some(id) = &self.filter.id {
            filter["id"] = json!(id);
        }
        json!({
            "id": self.id, "type": "webhook_subscription", "active": self.active,
            "description": self.description, "events": self.events, "filter": filter, "oauth_client": null,
            "delivery_method": {
                "id": format!("{}D", self.id), "type": "http_delivery_method", "url": self.url,
                "custom_headers": [], "temporarily_disabled": self.temporarily_disabled,
                "extension_id": null, "secret": shows_secret.then_some(&self.secret),
            },
        })
    }
}
