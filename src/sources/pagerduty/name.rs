//! PagerDuty's name as a source.

use crate::domain::source_name::SourceName;

/// Name under which PagerDuty's events are stored.
pub(super) const NAME: SourceName = SourceName::new("pagerduty");
