//! Reading beside the writer: listings, stories, figures and gauges.

mod backends;
mod figures;
mod find;
mod forwarded;
mod gauges;
mod listing;
mod outbox;
mod quarantine;
mod reader;
mod reevaluate;
mod story;

pub use backends::BackendStatus;
pub use figures::FiguresReader;
pub use find::{Found, FoundKind, UnknownBackend};
pub use forwarded::{ForwardState, Forwarded};
pub use gauges::{Gauges, OutboxGauge};
pub use listing::{Filter, ListedFailure, Page};
pub use outbox::{OutboxFilter, OutboxPage, OutboxRow};
pub use quarantine::{Body, QuarantinePage, QuarantineRow, Quarantined};
pub use reader::Reader;
pub use story::{Attempt, Received, Story, Today};
