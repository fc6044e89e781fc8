//! Care for PagerDuty's webhook subscription: it is looked at every five minutes, and enabled again if PagerDuty has
//! disabled it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::sources::pagerduty::own_subscription::{OwnSubscription, SubscriptionState};
use crate::sources::pagerduty::rest::{RestClient, RestError, Subscription};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::reconciliation::{Reconciliation, SubscriptionHealth};

/// Time between two looks.
const EVERY: Duration = Duration::from_mins(5);

/// Looks after the webhook subscription.
#[derive(Clone)]
pub struct SubscriptionCare {
    /// Client of PagerDuty's REST API.
    pub client: RestClient,
    /// Clock for the waits.
    pub clock: Arc<dyn Clock>,
    /// Metrics and the state that the dashboard shows.
    pub metrics: Arc<Metrics>,
    /// Id of the subscription, if the configuration names it.
    pub id: Option<String>,
    /// Path of the webhooks, by which the subscription is found otherwise.
    pub path: String,
}

/// Finding of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    Active,
    /// Some events that failures follow from are not sent.
    Incomplete(Vec<&'static str>),
    /// PagerDuty had disabled it, and it was enabled again.
    Enabled(String),
    /// It could not be enabled.
    Disabled(String, String),
    SwitchedOff(String),
    Missing,
    Several(Vec<String>),
    /// There was no usable answer.
    Unknown(String),
}

/// Forgets the state of the subscription when the loop ends, or is ended: it may change from then on, and another replica
/// looks.
struct ForgetAtEnd<'a>(&'a Reconciliation);

impl Drop for ForgetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.forget_subscription();
    }
}

impl SubscriptionCare {
    /// Looks until `stop` is set.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let _forget = ForgetAtEnd(&self.metrics.reconciliation);
        let mut last = None;
        loop {
            // An error means that the sender of the signal was dropped, which counts as the signal, too.
            let finding = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                finding = self.look() => finding,
            };
            if last.as_ref() != Some(&finding) {
                finding.log();
            }
            self.metrics.reconciliation.subscription(finding.health(), finding.is_disabled());
            if matches!(finding, Finding::Enabled(_)) {
                self.metrics.reconciliation.want();
            }
            last = Some(finding);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.clock.sleep(EVERY) => {}
            }
        }
    }

    async fn look(&self) -> Finding {
        match self.client.own_subscription(self.id.as_deref(), &self.path).await {
            Ok(OwnSubscription::Found(subscription)) => self.found(subscription).await,
            Ok(OwnSubscription::Missing) => Finding::Missing,
            Ok(OwnSubscription::Several(several)) => {
                Finding::Several(several.into_iter().map(|subscription| subscription.id).collect())
            }
            Err(error) => Finding::Unknown(error.to_string()),
        }
    }

    async fn found(&self, subscription: Subscription) -> Finding {
        match subscription.state() {
            SubscriptionState::SwitchedOff => Finding::SwitchedOff(subscription.id),
            SubscriptionState::Active => match subscription.missing_events() {
                missing if missing.is_empty() => Finding::Active,
                missing => Finding::Incomplete(missing),
            },
            SubscriptionState::Disabled => match self.client.enable(&subscription.id).await {
                Ok(()) => Finding::Enabled(subscription.id),
                Err(error) => Finding::Disabled(subscription.id, cure(&error)),
            },
        }
    }
}

/// Reason why the subscription could not be enabled, with what helps.
fn cure(error: &RestError) -> String {
    match error {
        RestError::Forbidden { .. } => {
            format!(
                "{error}. A read-only key cannot enable it: enable it in PagerDuty, or use a key that may write"
            )
        }
        _ => error.to_string(),
    }
}

impl Finding {
    fn is_disabled(&self) -> bool {
        matches!(self, Self::Disabled(..) | Self::SwitchedOff(_) | Self::Missing)
    }

    /// State in a sentence or two, with what to do.
    fn says(&self) -> String {
        match self {
            Self::Active => "The webhook subscription is active.".to_owned(),
            Self::Incomplete(missing) => format!(
                "The webhook subscription does not send {}: add them in PagerDuty.",
                missing.join(", ")
            ),
            Self::Enabled(id) => format!(
                "PagerDuty had disabled the webhook subscription {id}; it was enabled again, and what was lost is read."
            ),
            Self::Disabled(id, reason) => format!(
                "PagerDuty has disabled the webhook subscription {id}, and it could not be enabled: {reason}."
            ),
            Self::SwitchedOff(id) => format!(
                "The webhook subscription {id} is switched off in PagerDuty: no webhook comes until somebody switches it on."
            ),
            Self::Missing => {
                "No webhook subscription of the account sends to pagerduty.path: create one, or name it in \
                              pagerduty.api.subscription."
                    .to_owned()
            }
            Self::Several(ids) => format!(
                "Several webhook subscriptions send to pagerduty.path ({}): name one in pagerduty.api.subscription.",
                ids.join(", ")
            ),
            Self::Unknown(reason) => format!("The webhook subscription could not be looked at: {reason}."),
        }
    }

    fn health(&self) -> SubscriptionHealth {
        let must_act = !matches!(self, Self::Active | Self::Enabled(_) | Self::Unknown(_));
        SubscriptionHealth { says: self.says(), must_act }
    }

    /// Logs a finding that differs from the one before.
    fn log(&self) {
        let says = self.says();
        let says = says.trim_end_matches('.');
        match self {
            Self::Active => tracing::info!("{says}"),
            Self::Disabled(..) | Self::SwitchedOff(_) => tracing::error!("{says}"),
            _ => tracing::warn!("{says}"),
        }
    }
}
