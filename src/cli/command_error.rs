//! Errors of commands, with their exit statuses.

use std::fmt;

use crate::config::{Problem, Problems};

/// Reason that a command failed, with its exit status.
pub(super) enum CommandError {
    /// The command was tried and failed.
    Failed(anyhow::Error),
    /// The usage or the configuration is wrong.
    Usage(anyhow::Error),
    /// The state of the store on the disk is unknown: the process must be restarted.
    InDoubt(anyhow::Error),
}

impl CommandError {
    /// The error without its exit status.
    pub(super) fn into_error(self) -> anyhow::Error {
        let (Self::Failed(error) | Self::Usage(error) | Self::InDoubt(error)) = self;
        error
    }

    /// 1: tried and failed. 2: wrong usage or configuration. 74 (`EX_IOERR`): disk error; restart the process.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::InDoubt(_) => 74,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Failed(error) | Self::Usage(error) | Self::InDoubt(error)) = self;
        write!(f, "{error:#}")
    }
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Problem> for CommandError {
    fn from(problem: Problem) -> Self {
        Self::Usage(problem.into())
    }
}

impl From<Problems> for CommandError {
    fn from(problems: Problems) -> Self {
        Self::Usage(problems.into())
    }
}
