//! The webhook subscription that sends to this program.

use reqwest::Url;

use super::event_type;
use super::rest::{RestClient, RestError, Subscription};

/// Result of the search for the subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnSubscription {
    /// It was found.
    Found(Subscription),
    /// The account has no such subscription.
    Missing,
    /// Several send to the same path. The configuration has to name one.
    Several(Vec<Subscription>),
}

/// State of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// It sends webhooks.
    Active,
    /// PagerDuty has disabled it, because webhooks could not be delivered.
    Disabled,
    /// A person has switched it off.
    SwitchedOff,
}

impl Subscription {
    /// Its state. What a person has switched off counts as that, also if PagerDuty has disabled it before.
    pub fn state(&self) -> SubscriptionState {
        match (self.active, self.temporarily_disabled) {
            (false, _) => SubscriptionState::SwitchedOff,
            (true, Some(true)) => SubscriptionState::Disabled,
            (true, _) => SubscriptionState::Active,
        }
    }

    /// Types of events that failures follow from, and that it does not send.
    pub fn missing_events(&self) -> Vec<&'static str> {
        wanted_events().filter(|wanted| !self.events.iter().any(|event| event == wanted)).collect()
    }

    /// `true` if its address ends in this path.
    fn sends_to(&self, path: &str) -> bool {
        let without_slash = |path: &str| path.trim_end_matches('/').to_owned();
        Url::parse(&self.url).is_ok_and(|url| without_slash(url.path()).ends_with(&without_slash(path)))
    }
}

/// Types of events that failures follow from.
pub fn wanted_events() -> impl Iterator<Item = &'static str> {
    event_type::wanted()
}

impl RestClient {
    /// The subscription of this id, or without an id the one whose address ends in `path`.
    ///
    /// # Errors
    /// There is no usable answer.
    pub async fn own_subscription(&self, id: Option<&str>, path: &str) -> Result<OwnSubscription, RestError> {
        if let Some(id) = id {
            let found = self.subscription(id).await?;
            return Ok(found.map_or(OwnSubscription::Missing, OwnSubscription::Found));
        }
        let mut own: Vec<Subscription> = self.subscriptions().await?;
        own.retain(|subscription| subscription.sends_to(path));
        match own.as_slice() {
            [] => Ok(OwnSubscription::Missing),
            // A list may leave out whether it is disabled.
            [one] => {
                Ok(self.subscription(&one.id).await?.map_or(OwnSubscription::Missing, OwnSubscription::Found))
            }
            _ => Ok(OwnSubscription::Several(own)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::pagerduty::rest::{FilterKind, SubscriptionFilter};

    fn subscription(url: &str) -> Subscription {
        Subscription {
            id: "PSUB001".to_owned(),
            url: url.to_owned(),
            active: true,
            temporarily_disabled: Some(false),
            events: wanted_events().map(str::to_owned).collect(),
            filter: SubscriptionFilter { kind: FilterKind::Account, id: None },
            description: None,
        }
    }

    #[test]
    fn a_subscription_is_known_by_the_end_of_its_path() {
        let path = "/webhooks/pagerduty";
        for url in ["https://a.example/webhooks/pagerduty", "https://a.example/dora/webhooks/pagerduty/?x=1"]
        {
            assert!(subscription(url).sends_to(path), "{url}");
        }
        for url in ["https://a.example/webhooks", "https://a.example/webhooks/pagerduty/old", "no url"] {
            assert!(!subscription(url).sends_to(path), "{url}");
        }
    }

    #[test]
    fn what_a_person_switched_off_is_not_disabled() {
        let on = subscription("https://a.example/");
        let disabled = Subscription { temporarily_disabled: Some(true), ..on.clone() };
        let off = Subscription { active: false, ..disabled.clone() };
        assert_eq!(
            [on.state(), disabled.state(), off.state()],
            [SubscriptionState::Active, SubscriptionState::Disabled, SubscriptionState::SwitchedOff]
        );
    }

    #[test]
    fn missing_events_are_named() {
        let mut sends = subscription("https://a.example/");
        assert!(sends.missing_events().is_empty());
        sends.events.retain(|event| event != "incident.reopened");
        assert_eq!(sends.missing_events(), ["incident.reopened"]);
    }
}
