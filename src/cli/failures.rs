//! `failures`: lists the failures in the store.

use clap::Args;

use super::command_error::CommandError;
use super::options::{FormatOption, OutputFormat, limit, one_of};
use super::store_reader::reader;
use super::table::{Column, print_err, print_json, print_out, render, width};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::failure::{Failure, FailureState};
use crate::domain::human_duration::human_duration;
use crate::domain::name::{name, named};
use crate::domain::timestamp::Timestamp;
use crate::domain::user_time;
use crate::http::FailurePageJson;
use crate::store::{FailureFilter, FailurePage, ListedFailure};

#[derive(Args)]
pub(super) struct FailuresOptions {
    /// Only failures in this state
    #[arg(long, value_parser = one_of(FailureState::ALL, FailureState::as_str))]
    state: Option<FailureState>,

    /// Only failures of this service
    #[arg(long, value_name = "S")]
    service: Option<String>,

    /// Only failures that started then or later: RFC 3339, a date, or an age such as 30d
    #[arg(long, value_name = "T")]
    since: Option<String>,

    /// Greatest number of rows to show
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = limit)]
    limit: u32,

    #[command(flatten)]
    format: FormatOption,
}

pub(super) fn run(options: &FailuresOptions, config: &Config) -> Result<(), CommandError> {
    let filter = FailureFilter {
        state: options.state,
        service: named(options.service.clone()),
        since: since(options.since.as_deref().and_then(name), config)?,
        limit: options.limit as usize,
        ..FailureFilter::default()
    };
    let reader = reader(config)?;
    let page = reader.failures(&filter).map_err(anyhow::Error::from)?;
    match options.format.format {
        OutputFormat::Json => print_json(&FailurePageJson::from(&page))?,
        OutputFormat::Table => print(&page),
    }
    Ok(())
}

/// Reads the value of `--since`.
pub(super) fn since(text: Option<&str>, config: &Config) -> Result<Option<Timestamp>, CommandError> {
    let zone = config.dora.timezone.zone();
    let since = text.map(|text| user_time::parse(text, SystemClock.now(), zone)).transpose();
    since.map_err(|error| CommandError::Usage(anyhow::anyhow!("--since: {error}")))
}

fn print(page: &FailurePage) {
    if page.failures.is_empty() {
        return print_err("no failures");
    }
    print_out(table(&page.failures, width()).trim_end());
    if page.next.is_some() {
        print_err("there are more rows: use a higher --limit");
    }
}

const COLUMNS: [Column; 9] = [
    Column::text("STARTED"),
    Column::text("FAILURE").cut_in_middle_to(14),
    Column::text("TITLE").cut_to(15).favoured(),
    Column::text("SERVICES").cut_to(8),
    Column::text("TEAM").cut_to(8).droppable(2),
    Column::text("ENV").cut_to(8).droppable(1),
    Column::text("SEVERITY").cut_to(8).droppable(3),
    Column::text("STATE").wrapped_to(9),
    Column::number("RESTORED"),
];

/// The table of a listing.
pub(super) fn table(failures: &[ListedFailure], width: usize) -> String {
    let rows: Vec<Vec<String>> = failures.iter().map(|listed| row(&listed.failure)).collect();
    render(&COLUMNS, &rows, width)
}

fn row(failure: &Failure) -> Vec<String> {
    let flags = failure.flags.iter().map(|flag| flag.as_str());
    let remarks: Vec<&str> = failure.reason.as_deref().into_iter().chain(flags).collect();
    let state = match remarks.as_slice() {
        [] => failure.state.as_str().to_owned(),
        remarks => format!("{} ({})", failure.state.as_str(), remarks.join(", ")),
    };
    vec![
        failure.started_at.minute(),
        failure.incident.clone().unwrap_or_else(|| failure.id.to_string()),
        or_dash(failure.title.as_ref()),
        if failure.services.is_empty() { "-".to_owned() } else { failure.services.join(", ") },
        or_dash(failure.team.as_ref()),
        failure.env.clone(),
        or_dash(failure.severity.as_ref()),
        state,
        failure.time_to_restore_seconds.map_or_else(|| "-".to_owned(), human_duration),
    ]
}

/// Text of a value. A dash if the value is not known.
pub(super) fn or_dash(text: Option<&String>) -> String {
    text.map_or_else(|| "-".to_owned(), Clone::clone)
}

/// Time without the fraction of the second, which no reader of a listing needs.
pub(super) fn second(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(whole, _)| format!("{whole}Z"))
}
