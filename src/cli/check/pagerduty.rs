//! Asks PagerDuty's REST API about the token and the webhook subscription. Changes nothing there.

use super::item::{Finding, Item};
use crate::cli::subscription::{about, only_one, search};
use crate::config::Config;
use crate::run::{outgoing, rest_client};
use crate::sources::pagerduty::own_subscription::{OwnSubscription, SubscriptionState};
use crate::sources::pagerduty::rest::{RestClient, RestError, Subscription};

const TOKEN: &str = "PagerDuty token";
const INCIDENTS: &str = "PagerDuty incidents";
const SUBSCRIPTION: &str = "PagerDuty subscription";

/// Asks PagerDuty.
pub(super) async fn check(config: &Config) -> Vec<Item> {
    match outgoing(config).and_then(|outgoing| rest_client(config, &outgoing)) {
        Ok(Some(client)) => ask(&client.impatient(), config).await,
        Ok(None) => {
            let not_asked = "not asked, because [pagerduty.api] is not configured";
            vec![Item::new("PagerDuty", Finding::Ok(not_asked.to_owned()))]
        }
        // The check of the secrets reports a token that cannot be sent.
        Err(_) => Vec::new(),
    }
}

async fn ask(client: &RestClient, config: &Config) -> Vec<Item> {
    let incidents = client.probe_incidents().await;
    if let Err(error) = &incidents
        && !is_about_one_request(error)
    {
        return vec![Item::new(TOKEN, Finding::Failed(error.to_string()))];
    }
    let subscription = search(client, config).await;
    let mut items = Vec::new();
    match (&incidents, &subscription) {
        (Err(RestError::Forbidden { detail, .. }), Err(RestError::Forbidden { .. })) => {
            return vec![Item::new(TOKEN, Finding::Failed(nothing_is_allowed(detail)))];
        }
        (Err(_), Err(_)) => {}
        (Ok(()), _) | (_, Ok(_)) => items.push(Item::new(TOKEN, Finding::Ok(accepted(config)))),
    }
    let may_read = match &incidents {
        Ok(()) => Finding::Ok("the token may read them".to_owned()),
        Err(error) => Finding::Failed(not_readable(error, "incidents", "incidents.read")),
    };
    items.push(Item::new(INCIDENTS, may_read));
    items.extend(of_subscription(subscription, config));
    items
}

/// `true` if another request with the same token may succeed.
fn is_about_one_request(error: &RestError) -> bool {
    use RestError::{Forbidden, NotFound, Plan, Rejected, UnexpectedForm};
    matches!(
        error,
        Forbidden { .. } | NotFound { .. } | Plan { .. } | Rejected { .. } | UnexpectedForm { .. }
    )
}

fn accepted(config: &Config) -> String {
    let url = config.pagerduty.api.as_ref().map(|api| String::from(api.url.clone())).unwrap_or_default();
    format!(
        "{url} accepts it. Not tested: the right to enable a disabled subscription, which a read-only key lacks"
    )
}

fn nothing_is_allowed(detail: &str) -> String {
    format!(
        "PagerDuty allows nothing that was asked (HTTP 403: {detail}). If the account has a list of allowed IP addresses, \
         add the address of this machine. An OAuth token needs the scopes incidents.read and webhook_subscriptions.read"
    )
}

/// Message for a request that failed, while another one with the same token may have succeeded.
fn not_readable(error: &RestError, what: &str, scope: &str) -> String {
    match error {
        RestError::Forbidden { detail, .. } => format!(
            "the token may not read {what} (HTTP 403: {detail}): give an OAuth token the scope {scope}, or use an API key \
             that may read them"
        ),
        _ => error.to_string(),
    }
}

fn of_subscription(found: Result<OwnSubscription, RestError>, config: &Config) -> Vec<Item> {
    let found =
        found.map_err(|error| not_readable(&error, "webhook subscriptions", "webhook_subscriptions.read"));
    match found.and_then(|found| only_one(found, config).map_err(|error| error.to_string())) {
        Ok(subscription) => of_found(&subscription),
        Err(message) => vec![Item::new(SUBSCRIPTION, Finding::Failed(message))],
    }
}

fn of_found(subscription: &Subscription) -> Vec<Item> {
    let (id, missing) = (&subscription.id, subscription.missing_events());
    let state = match subscription.state() {
        SubscriptionState::Active => {
            let sends =
                if missing.is_empty() { ", and sends all events that failures follow from" } else { "" };
            Finding::Ok(format!("{id} is active, for {}{sends}", about(subscription)))
        }
        SubscriptionState::Disabled => Finding::Failed(format!(
            "PagerDuty has disabled {id}, and sends no webhooks: correct the cause, which the daemon's log names, then run \
             `pagerduty-dora subscription enable`. A running daemon enables it by itself if the token may write"
        )),
        SubscriptionState::SwitchedOff => Finding::Failed(format!(
            "a person has switched {id} off, and PagerDuty sends no webhooks: switch it on in PagerDuty"
        )),
    };
    let mut items = vec![Item::new(SUBSCRIPTION, state)];
    if !missing.is_empty() {
        let message = format!("{id} does not send {}: add these events in PagerDuty", missing.join(", "));
        items.push(Item::new(SUBSCRIPTION, Finding::Warn(message)));
    }
    items
}
