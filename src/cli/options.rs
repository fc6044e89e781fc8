//! Options that several commands have.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::config::Config;
use crate::domain::figures::ReportDefaults;

/// Option of commands that list.
#[derive(Args)]
pub(super) struct FormatOption {
    /// Format of the output
    #[arg(long, value_enum, default_value_t = OutputFormat::Table)]
    pub(super) format: OutputFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// A table, for reading
    Table,
    /// JSON, the same as the API answers
    Json,
}

/// Parser of an option that takes one of these values. `word` gives the text of a value, as in JSON and tables.
pub(super) fn one_of<T>(all: &'static [T], word: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.iter().copied().map(word)).try_map(move |given| {
        let named = all.iter().copied().find(|one| word(*one) == given);
        named.ok_or_else(|| format!("{given} is not one of the values"))
    })
}

/// Reads the value of `--limit`.
pub(super) fn limit(text: &str) -> Result<u32, String> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("a whole number from 1 to {} is needed", u32::MAX))
}

/// Configuration that a report depends on.
pub(super) fn report_defaults(config: &Config) -> ReportDefaults<'_> {
    ReportDefaults {
        timezone: config.dora.timezone.zone(),
        env: config.failure.default_env.as_str(),
        link_window: config.dora.link_window.get(),
    }
}
