//! Webhook subscriptions.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::RestClient;
use super::error::RestError;
use super::listing::{Extent, MOST_LISTED, Page};
use super::request::Request;

const PATH: &str = "webhook_subscriptions";

/// A webhook subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Id of the subscription.
    pub id: String,
    /// Address that PagerDuty sends webhooks to.
    pub url: String,
    /// `false` if a person switched it off.
    pub active: bool,
    /// `true` if PagerDuty switched it off after webhooks were rejected. `None` if the answer does not say so, as some
    /// lists do; [`RestClient::subscription`] then knows.
    pub temporarily_disabled: Option<bool>,
    /// Types of the events that it sends.
    pub events: Vec<String>,
    /// Incidents that it is about.
    pub filter: SubscriptionFilter,
    /// Description, if there is one.
    pub description: Option<String>,
}

/// Incidents that a subscription is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionFilter {
    /// Kind of what `id` names.
    #[serde(rename = "type")]
    pub kind: FilterKind,
    /// Id of the service or team. `None` for the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Kind of the filter of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FilterKind {
    /// All incidents.
    Account,
    /// Incidents of a service.
    Service,
    /// Incidents of a team.
    Team,
    /// A kind that this program does not know, in PagerDuty's words.
    Other(String),
}

impl From<String> for FilterKind {
    fn from(text: String) -> Self {
        match text.as_str() {
            "account_reference" => Self::Account,
            "service_reference" => Self::Service,
            "team_reference" => Self::Team,
            _ => Self::Other(text),
        }
    }
}

impl From<FilterKind> for String {
    fn from(kind: FilterKind) -> Self {
        match kind {
            FilterKind::Account => "account_reference".to_owned(),
            FilterKind::Service => "service_reference".to_owned(),
            FilterKind::Team => "team_reference".to_owned(),
            FilterKind::Other(text) => text,
        }
    }
}

/// A subscription that is to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubscription {
    /// Address that PagerDuty sends webhooks to.
    pub url: String,
    /// Description for people.
    pub description: String,
    /// Types of the events that it sends.
    pub events: Vec<String>,
    /// Incidents that it is about.
    pub filter: SubscriptionFilter,
}

#[derive(Deserialize)]
struct Answer<T> {
    webhook_subscription: T,
}

#[derive(Deserialize)]
struct SubscriptionsPage {
    webhook_subscriptions: Vec<WireSubscription>,
    more: bool,
}

impl Page for SubscriptionsPage {
    fn has_more(&self) -> bool {
        self.more
    }
}

#[derive(Deserialize)]
struct WireSubscription {
    id: String,
    active: bool,
    description: Option<String>,
    events: Vec<String>,
    filter: SubscriptionFilter,
    delivery_method: WireDelivery,
}

#[derive(Deserialize)]
struct WireDelivery {
    url: String,
    temporarily_disabled: Option<bool>,
}

/// A subscription just after it was created: only then PagerDuty tells the secret.
#[derive(Deserialize)]
struct Created {
    delivery_method: CreatedDelivery,
}

#[derive(Deserialize)]
struct CreatedDelivery {
    secret: SecretString,
}

impl From<WireSubscription> for Subscription {
    fn from(wire: WireSubscription) -> Self {
        Self {
            id: wire.id,
            url: wire.delivery_method.url,
            active: wire.active,
            temporarily_disabled: wire.delivery_method.temporarily_disabled,
            events: wire.events,
            filter: wire.filter,
            description: wire.description,
        }
    }
}

impl RestClient {
    /// All webhook subscriptions of the account.
    ///
    /// # Errors
    /// There is no usable answer.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, RestError> {
        let mut all: Vec<Subscription> = Vec::new();
        let take = |page: SubscriptionsPage| {
            all.extend(page.webhook_subscriptions.into_iter().map(Subscription::from));
        };
        if self.pages(&[PATH], &[], MOST_LISTED, take).await? == Extent::TooLong {
            let request = Request::get(&[PATH], &[]).to_string();
            return Err(RestError::WindowTooFull { request, place: "in the list".to_owned() });
        }
        Ok(all)
    }

    /// A subscription. `None` if PagerDuty does not have it (any more).
    ///
    /// # Errors
    /// There is no usable answer.
    pub async fn subscription(&self, id: &str) -> Result<Option<Subscription>, RestError> {
        match self.read::<Answer<WireSubscription>>(&Request::get(&[PATH, id], &[])).await {
            Ok(answer) => Ok(Some(answer.webhook_subscription.into())),
            Err(RestError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Switches a subscription on again that PagerDuty disabled. Does nothing to one that is not disabled, so the
    /// request is repeated if there is no answer.
    ///
    /// # Errors
    /// PagerDuty does not accept the request.
    pub async fn enable(&self, id: &str) -> Result<(), RestError> {
        self.send(&Request::post(&[PATH, id, "enable"], None).repeatable()).await.map(drop)
    }

    /// Has PagerDuty send a test event to a subscription's address. The request is sent once.
    ///
    /// # Errors
    /// PagerDuty does not accept the request, or there is no answer.
    pub async fn ping(&self, id: &str) -> Result<(), RestError> {
        self.send(&Request::post(&[PATH, id, "ping"], None)).await.map(drop)
    }

    /// Creates a subscription, and returns it with its signing secret, which PagerDuty never tells again. The request is
    /// sent once.
    ///
    /// # Errors
    /// PagerDuty does not accept the request, or there is no usable answer. Without an answer PagerDuty may have created
    /// the subscription.
    pub async fn create(&self, new: &NewSubscription) -> Result<(Subscription, SecretString), RestError> {
        let body = json!({ "webhook_subscription": {
            "type": "webhook_subscription",
            "description": new.description,
            "events": new.events,
            "filter": new.filter,
            "delivery_method": { "type": "http_delivery_method", "url": new.url },
        }});
        let request = Request::post(&[PATH], Some(body.to_string().into_bytes()));
        let sent = self.send(&request).await?;
        let created: Answer<Created> = self.parse(&request, &sent.body)?;
        let shown: Answer<WireSubscription> = self.parse(&request, &sent.body)?;
        Ok((shown.webhook_subscription.into(), created.webhook_subscription.delivery_method.secret))
    }
}
