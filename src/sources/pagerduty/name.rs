//! PagerDuty's names as a source.

use crate::domain::source_name::SourceName;

/// Name under which PagerDuty's events are stored.
pub(super) const NAME: SourceName = SourceName::new("pagerduty");
/// Name under which events are stored that were read from its REST API.
pub(super) const READ_NAME: SourceName = SourceName::new("pagerdutyapi");
