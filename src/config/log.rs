//! `[log]`: level and format of the log on standard error.

use serde::{Deserialize, Serialize};

/// `[log]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// Lowest level that is written.
    pub level: LogLevel,
    /// Format of a line.
    pub format: LogFormat,
}

/// `log.level`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only faults that a person must correct.
    Error,
    /// Also unusual events that may need a person.
    Warn,
    /// Also ordinary events: start, end, changes of state.
    #[default]
    Info,
    /// Also a line for each accepted event.
    Debug,
}

/// `log.format`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text if standard error is a terminal, else JSON.
    #[default]
    Auto,
    /// Text, for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}
