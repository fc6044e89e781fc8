//! PagerDuty's REST API: incidents with their logs and notes, and the webhook subscriptions.
//!
//! [`RestClient`] sends the requests. `limiter` spreads them over time, for all clones of a client together. `window`
//! and `created` read lists that are longer than PagerDuty's limit of 10,000 entries in several parts.

mod answer;
mod client;
mod created;
mod error;
mod incident;
mod limiter;
mod listing;
mod request;
mod subscription;
mod timer;
mod window;

pub use client::{RestClient, RestSetupError};
pub use created::{CreatedIncident, CreatedPart};
pub use error::RestError;
pub use incident::{LogEntry, LogKind, Note};
pub use subscription::{FilterKind, NewSubscription, Subscription, SubscriptionFilter};

#[cfg(test)]
mod tests;
