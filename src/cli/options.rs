//! Options that several commands have.

use clap::{Args, ValueEnum};

/// For commands that list.
#[derive(Args)]
pub(super) struct Format {
    /// Form of the output
    #[arg(long, value_enum, default_value_t = FormatName::Table)]
    pub(super) format: FormatName,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatName {
    /// A table, for reading
    Table,
    /// JSON, the same as the API answers
    Json,
}

/// Reads the value of `--limit`.
pub(super) fn limit(text: &str) -> Result<u32, String> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("a whole number from 1 to {} is needed", u32::MAX))
}
