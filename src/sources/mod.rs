//! Sources: the systems that send signed webhooks, and the APIs that tell of what was lost.
//!
//! A source is a module with a name and three functions. `verify` verifies the bytes of a request, `heading` parses the
//! fields that are needed to store the event, and `parse` parses the whole event. Sources know nothing of each other.

pub mod pagerduty;
mod webhooks;

pub use webhooks::{RefusalReason, RefusalText, SignatureError, Verified, Verify, Webhooks};

use crate::config::Config;
use crate::config::listener_secrets::ListenerSecrets;
use crate::domain::source::{Source, Sources};

/// Every source. Each event in the store is from one of these, even if that source is not configured any more.
pub const ALL: Sources = Sources::new(TABLE);

static TABLE: &[&Source] = &[&pagerduty::SOURCE, &pagerduty::reading::SOURCE];

/// Webhooks of every source that is configured.
pub fn webhooks(config: &Config, secrets: &ListenerSecrets) -> Vec<Webhooks> {
    vec![pagerduty::webhooks(config, secrets)]
}
