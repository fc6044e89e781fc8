//! `[log]`: how much the daemon writes to standard error, and in which form.

use serde::{Deserialize, Serialize};

/// `[log]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// The least severe line that is still written.
    pub level: LogLevel,
    /// The form of a line.
    pub format: LogFormat,
}

/// `log.level`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what failed and needs a person.
    Error,
    /// Also what is unusual and may need a person.
    Warn,
    /// Also the ordinary course of things: start, end, changes of state.
    #[default]
    Info,
    /// Also a line for each accepted event.
    Debug,
}

/// `log.format`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text where standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text, for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}
