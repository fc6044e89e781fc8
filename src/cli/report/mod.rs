//! `report`: prints the figures as a table, JSON, CSV or Markdown.

mod change;
mod csv;
mod format;
mod markdown;
mod other_envs;
mod text;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

#[cfg(test)]
use self::csv::csv;
use self::csv::write_csv;
pub(super) use self::format::in_unit;
#[cfg(test)]
use self::markdown::markdown;
use self::markdown::write_markdown;
use self::other_envs::{deployed_elsewhere, other_envs};
pub(super) use self::text::table;
use self::text::write_tables;
use super::command_error::CommandError;
use super::options::{one_of, report_defaults};
use super::store_reader::figures_reader;
use super::table::{is_terminal, print_err, print_in_parts, print_json, width};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::figures::{Grouping, Interval, ReportOptions, SortBy};

#[derive(Args)]
pub(super) struct ReportCommand {
    /// Start of the period: RFC 3339, a date, or an age such as 30d
    #[arg(long, value_name = "T", default_value = "30d")]
    since: String,

    /// End of the period (exclusive): RFC 3339, a date, or an age [default: now]
    #[arg(long, value_name = "T")]
    until: Option<String>,

    /// One row for each service, team, env or severity; none: a single row
    #[arg(long, default_value = "service", value_parser = one_of(Grouping::ALL, Grouping::as_str))]
    by: Grouping,

    /// Env whose failures and deployments are counted, or "all" for every env [default: `failure.default_env`]
    #[arg(long, value_name = "E")]
    env: Option<String>,

    /// Only failures and deployments of this service
    #[arg(long, value_name = "S")]
    service: Option<String>,

    /// Only failures and deployments of this team
    #[arg(long, value_name = "T")]
    team: Option<String>,

    /// Divide the period: rows for each day, week or month
    #[arg(long, value_parser = one_of(Interval::ALL, Interval::as_str))]
    interval: Option<Interval>,

    /// Compare each row with the period of equal length before it
    #[arg(long)]
    compare: bool,

    /// Order of the rows: the highest value first of a column of CSV, such as incidents, `change_fail_rate_low` or
    /// `time_to_restore_seconds_median` [default: by name]
    #[arg(long, value_name = "FIGURE", value_parser = SortBy::parse)]
    sort: Option<SortBy>,

    /// Format of the output
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    format: ReportFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReportFormat {
    /// A table, for reading
    Table,
    /// JSON, the same as the API answers
    Json,
    /// CSV, for spreadsheets
    Csv,
    /// A table in Markdown, for web pages and issues
    Markdown,
}

pub(super) fn run(options: &ReportCommand, config: &Config) -> Result<(), CommandError> {
    let report_options = ReportOptions {
        since: Some(&options.since),
        until: options.until.as_deref(),
        by: Some(options.by),
        env: options.env.as_deref(),
        service: options.service.as_deref(),
        team: options.team.as_deref(),
        interval: options.interval,
        compare: options.compare,
    };
    let query = report_options
        .query(SystemClock.now(), report_defaults(config), "--")
        .map_err(|error| CommandError::Usage(anyhow!(error)))?;
    let reader = figures_reader(config)?;
    let mut report = reader.report(&query).map_err(anyhow::Error::from)?;
    if let Some(sort_by) = options.sort {
        sort_by.sort(&mut report);
    }
    match options.format {
        ReportFormat::Table => {
            let periods = query.intervals();
            print_in_parts(|out| write_tables(out, &report, &periods, width()));
        }
        ReportFormat::Json => print_json(&report)?,
        ReportFormat::Csv => {
            if let Some(hint) = other_envs(&report).or_else(|| deployed_elsewhere(&report)) {
                print_err(hint);
            }
            print_in_parts(|out| write_csv(out, &report, is_terminal()));
        }
        ReportFormat::Markdown => print_in_parts(|out| write_markdown(out, &report)),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
