//! Lanes: the requests to a backend that need the same credential, and how the backend answers them.

use std::time::Duration;
use strum::VariantArray as _;

use serde::{Deserialize, Serialize};

use super::retry::LONGEST_WAIT;
use super::timestamp::Timestamp;

/// Largest difference between the times that two tasks read from the clock at the same moment.
const CLOCK_READ_TOLERANCE: Duration = Duration::from_secs(1);

/// Lane of a request: the credential that the request needs. A backend may refuse one credential and accept the other.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Lane {
    /// The credential that every request needs.
    Main,
    /// Datadog's application key, which deletions and marks need in addition.
    ApplicationKey,
}

impl Lane {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word for it in the store and in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The lane that this word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lane| lane.as_str() == word)
    }
}

/// State of a backend, as its answers show it.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum BackendState {
    /// No row waits for it.
    Idle,
    /// It accepts requests.
    #[default]
    Delivering,
    /// It asks to wait (429).
    RateLimited,
    /// It does not answer, or answers with errors only.
    Unreachable,
    /// It refuses our credentials.
    Refusing,
}

impl BackendState {
    /// All of them, the worst last.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word for it in the store, in JSON and in metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Text for tables and sentences.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Delivering => "delivering",
            Self::RateLimited => "rate limited",
            Self::Unreachable => "unreachable",
            Self::Refusing => "refuses our credentials",
        }
    }

    /// The state that this word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == word)
    }
}

/// Health of a lane: the state of the backend and its last answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneHealth {
    /// State of the backend. Never [`BackendState::Idle`], which depends on the rows that wait.
    pub state: BackendState,
    /// Start of the state; `None` if the state never changed.
    pub since: Option<Timestamp>,
    /// Earliest time of the next probe. While it is set, one probe at a time is sent and no other row.
    pub not_before: Option<Timestamp>,
    /// Number of probes that failed in a row.
    pub failed_probes: u32,
    /// End of the last attempt; `None` if there was none.
    pub answered_at: Option<Timestamp>,
    /// HTTP status of the last attempt, if it was answered.
    pub status: Option<u16>,
    /// Last error.
    pub error: Option<String>,
    /// Time of the last accepted request.
    pub succeeded_at: Option<Timestamp>,
}

impl LaneHealth {
    /// Time before which no probe may be sent. `None` if rows or a probe may be sent now. If the clock was set back,
    /// the stored time may be too far ahead; then it is ignored.
    pub fn next_probe_at(&self, now: Timestamp) -> Option<Timestamp> {
        let was_set_back = self.answered_at.is_some_and(|at| at.duration_since(now) > CLOCK_READ_TOLERANCE);
        self.not_before
            .filter(|then| *then > now && *then <= now.saturating_add(LONGEST_WAIT) && !was_set_back)
    }
}
