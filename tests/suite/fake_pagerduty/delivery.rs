//! Delivery of webhooks to subscriptions (PagerDuty: Webhooks, Behavior).

use pagerduty_dora::sources::pagerduty::signature::sign;
use secrecy::SecretString;

use super::incident::Agent;
use super::webhooks::{NewEvent, Webhook};
use super::world::World;

/// Fate of a webhook at one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The answer was 2xx.
    Accepted,
    /// The answer makes PagerDuty give up.
    Dropped(u16),
    /// PagerDuty would try again: deliver the webhook once more for that. `None` means that there was no answer.
    Failed(Option<u16>),
    /// Nothing was sent: the subscription is not active, or disabled. The webhook is lost.
    NotSent,
}

/// A request that a subscription is about to send.
struct Post {
    subscription: String,
    url: String,
    secret: SecretString,
    is_on: bool,
}

impl World {
    /// Delivers a webhook to each subscription that wants it, once.
    pub(crate) async fn deliver(&self, webhook: &Webhook) -> Vec<Outcome> {
        self.deliver_to(webhook, |_| true).await
    }

    /// Delivers a webhook of this world to one subscription, as a test of the subscription.
    pub(super) async fn ping(&self, subscription: &str) {
        let ping = {
            let mut state = self.lock();
            let at = state.now;
            NewEvent { id: state.ids.event(at), event_type: "pagey.ping", at, agent: Agent::Nobody }.ping()
        };
        self.deliver_to(&ping, |id| id == subscription).await;
    }

    async fn deliver_to(&self, webhook: &Webhook, is_wanted: impl Fn(&str) -> bool) -> Vec<Outcome> {
        let is_ping = webhook.incident.is_empty();
        let posts: Vec<Post> = {
            let state = self.lock();
            let wanted = state.subscriptions.iter().filter(|subscription| {
                is_wanted(&subscription.id) && (is_ping || subscription.wants(webhook))
            });
            wanted
                .map(|subscription| Post {
                    subscription: subscription.id.clone(),
                    url: subscription.url.clone(),
                    secret: subscription.secret.clone().into(),
                    is_on: subscription.is_on(),
                })
                .collect()
        };
        let mut outcomes = Vec::new();
        for post in posts {
            let outcome = if post.is_on { self.post(&post, webhook).await } else { Outcome::NotSent };
            self.count(&post.subscription, outcome);
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn post(&self, post: &Post, webhook: &Webhook) -> Outcome {
        let request = self
            .client()
            .post(&post.url)
            .header("user-agent", "PagerDuty-Webhook/V3.0")
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header("x-webhook-subscription", &post.subscription)
            .header("x-webhook-id", webhook_id(&post.subscription, &webhook.event_id))
            .header("x-pagerduty-signature", sign(&post.secret, webhook.body.as_bytes()))
            .body(webhook.body.clone());
        let Ok(answer) = request.send().await else { return Outcome::Failed(None) };
        match answer.status().as_u16() {
            200..300 => Outcome::Accepted,
            status @ (429 | 500..) => Outcome::Failed(Some(status)),
            status => Outcome::Dropped(status),
        }
    }

    fn count(&self, subscription: &str, outcome: Outcome) {
        let mut state = self.lock();
        let Some(subscription) = state.subscription(subscription) else { return };
        match outcome {
            Outcome::Accepted => subscription.accepted(),
            Outcome::Dropped(_) => subscription.dropped(),
            Outcome::Failed(_) | Outcome::NotSent => {}
        }
    }
}

/// Id of a webhook: the same for each attempt, and different for each subscription.
fn webhook_id(subscription: &str, event: &str) -> String {
    let end = |text: &str, count: usize| hex::encode(&text[text.len() - count..]);
    let digits = end(subscription, 4) + &end(event, 12);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}
