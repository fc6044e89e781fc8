//! Options that several commands have.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

/// For commands that list.
#[derive(Args)]
pub(super) struct FormatOption {
    /// Form of the output
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

/// Parser of an option that takes one of these, by the word for each in JSON and tables.
pub(super) fn one_of<T, const N: usize>(
    all: [T; N],
    word: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(all.map(word)).try_map(move |said| {
        let named = all.into_iter().find(|one| word(*one) == said);
        named.ok_or_else(|| format!("none of the values is called {said}"))
    })
}

/// Reads the value of `--limit`.
pub(super) fn limit(text: &str) -> Result<u32, String> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("a whole number from 1 to {} is needed", u32::MAX))
}
