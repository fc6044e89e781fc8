//! Filter of a listing of failures.

use crate::domain::failure::FailureState;
use crate::domain::timestamp::Timestamp;

/// Failures to list, newest start first.
#[derive(Debug, Clone, Default)]
pub struct FailureFilter {
    /// Only those in this state.
    pub state: Option<FailureState>,
    /// Only those that count for this service.
    pub service: Option<String>,
    /// Only those of this team.
    pub team: Option<String>,
    /// Only those of this env.
    pub env: Option<String>,
    /// Only those of this severity.
    pub severity: Option<String>,
    /// Only those that began at this time or later.
    pub since: Option<Timestamp>,
    /// Only those that began before this time.
    pub until: Option<Timestamp>,
    /// Largest number of failures.
    pub limit: usize,
    /// Cursor: `next` of the previous page.
    pub cursor: Option<String>,
}
