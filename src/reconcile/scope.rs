//! Which incidents of the account are this program's: those that its webhook subscriptions are about.

use crate::sources::pagerduty::own_subscription::OwnSubscription;
use crate::sources::pagerduty::reading::FoundIncident;
use crate::sources::pagerduty::rest::{FilterKind, RestClient, RestError, SubscriptionFilter};

/// The filters of the webhook subscriptions. Without one that is known, all incidents of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope(Vec<SubscriptionFilter>);

impl Scope {
    /// The scope of the subscription of this id, or of those that send to this path.
    ///
    /// # Errors
    /// There is no usable answer. If the token may not read subscriptions, that is no error: all incidents count then.
    pub(super) async fn find(client: &RestClient, id: Option<&str>, path: &str) -> Result<Self, RestError> {
        match client.own_subscription(id, path).await {
            Ok(own) => Ok(Self::of(own)),
            Err(RestError::Forbidden { .. }) => Ok(Self::of(OwnSubscription::Missing)),
            Err(error) => Err(error),
        }
    }

    /// The scope of these subscriptions.
    fn of(own: OwnSubscription) -> Self {
        let subscriptions = match own {
            OwnSubscription::Found(subscription) => vec![subscription],
            OwnSubscription::Several(several) => several,
            OwnSubscription::Missing => Vec::new(),
        };
        Self(subscriptions.into_iter().map(|subscription| subscription.filter).collect())
    }

    /// `true` if one of the subscriptions is about an incident. A kind of filter that the program does not know
    /// includes all.
    pub(super) fn includes(&self, found: &FoundIncident) -> bool {
        let includes = |filter: &SubscriptionFilter| match (&filter.kind, filter.id.as_deref()) {
            (FilterKind::Service, Some(id)) => found.service() == Some(id),
            (FilterKind::Team, Some(id)) => found.teams().any(|team| team == id),
            _ => true,
        };
        self.0.is_empty() || self.0.iter().any(includes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(kind: FilterKind, id: &str) -> SubscriptionFilter {
        SubscriptionFilter { kind, id: Some(id.to_owned()) }
    }

    #[test]
    fn incidents_of_other_services_and_teams_are_left_out() {
        let incident = json!({"service": {"id": "PSVC001"}, "teams": [{"id": "PTEAM01"}, {"id": "PTEAM02"}]});
        let found = FoundIncident { incident, log: Vec::new(), notes: Vec::new() };
        let account = SubscriptionFilter { kind: FilterKind::Account, id: None };
        for (filters, is_included) in [
            (vec![], true),
            (vec![account], true),
            (vec![filter(FilterKind::Service, "PSVC001")], true),
            (vec![filter(FilterKind::Service, "PSVC002")], false),
            (vec![filter(FilterKind::Team, "PTEAM02")], true),
            (vec![filter(FilterKind::Team, "PTEAM03")], false),
            (vec![filter(FilterKind::Service, "PSVC002"), filter(FilterKind::Team, "PTEAM01")], true),
            (vec![filter(FilterKind::Other("new_reference".to_owned()), "X")], true),
        ] {
            assert_eq!(Scope(filters.clone()).includes(&found), is_included, "{filters:?}");
        }
    }
}
