//! Reading while the writer writes: listings, stories, figures and gauges.

mod backends;
mod deployment_story;
mod deployments;
mod deployments_of_ids;
mod failure_filter;
mod failure_kinds;
mod failure_search;
mod failures_of_ids;
mod figures;
mod find;
mod forwarded;
mod gauges;
mod growth;
mod listing;
mod outbox;
mod outbox_groups;
mod outbox_search;
#[cfg(test)]
mod plan;
mod pool;
mod quarantine;
mod reader;
mod reconciled;
mod reevaluate;
mod related_changes;
mod story;

pub use backends::BackendStatus;
pub use deployment_story::DeploymentStory;
pub use deployments::{DeploymentFilter, DeploymentPage};
pub use failure_filter::FailureFilter;
pub use figures::FiguresReader;
pub use find::{FoundId, FoundKind, UnknownBackend};
pub use forwarded::{ForwardState, Forwarded};
pub use gauges::{OutboxGauge, StoreGauges};
pub use growth::Growth;
pub use listing::{FailurePage, ListedFailure};
pub use outbox::{OutboxFilter, OutboxPage, OutboxRow};
pub use outbox_groups::{DeadRow, ListedGroup};
pub use quarantine::{QuarantinePage, QuarantineRow, Quarantined, QuarantinedBody};
pub use reader::Reader;
pub use story::{AttemptRecord, ReceivedEvent, Story, StoryContext};
