//! Events that are only kept: they are about no deployment, and have no id of their own.

use sha2::{Digest, Sha256};

use crate::domain::event::{Event, Origin};
use crate::domain::timestamp::Timestamp;

/// An event that is only kept. Its id is `prefix` and a hash of the body.
pub(super) fn kept_event(prefix: &str, event_type: &str, body: &[u8]) -> Event {
    let hash = hex::encode(&Sha256::digest(body)[..16]);
    Event {
        id: format!("{prefix}:{hash}"),
        event_type: event_type.to_owned(),
        occurred_at: Timestamp::MIN,
        origin: Origin::Sent,
        subject: None,
    }
}
