//! `outbox`: lists the rows of the outbox: pending, sent, dead, superseded and discarded.

use clap::{Args, Subcommand};

use super::cells::wrapped;
use super::command_error::CommandError;
use super::examples;
use super::failures::{or_dash, second};
use super::options::{FormatOption, OutputFormat, limit, one_of};
use super::outbox_commands::{RowSelection, apply, refuse_unknown};
use super::store_reader::{reader, reader_with_password};
use super::table::{Column, is_terminal, print_err, print_json, print_out, render, width};
use super::tell::{self, TellOptions};
use crate::config::Config;
use crate::domain::lane::{BackendState, Lane};
use crate::domain::name::named;
use crate::domain::printable::printable;
use crate::domain::timestamp::Timestamp;
use crate::sources;
use crate::store::{BackendStatus, OutboxFilter, OutboxPage, OutboxRow, Reader, RowCommand, RowState};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct OutboxOptions {
    #[command(subcommand)]
    command: Option<OutboxCommand>,

    /// Only rows in this state. pending: still to be sent; sent: accepted by the backend; dead: rejected by it, and not
    /// sent again; superseded: replaced by a newer revision before the backend accepted it; discarded: by `outbox
    /// discard` or an import, and shown only with this option
    #[arg(long, value_parser = one_of(RowState::ALL, RowState::as_str))]
    state: Option<RowState>,

    /// Only rows for this backend
    #[arg(long, value_name = "B")]
    backend: Option<String>,

    /// Greatest number of rows to show
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = limit)]
    limit: u32,

    #[command(flatten)]
    format: FormatOption,
}

#[derive(Subcommand)]
enum OutboxCommand {
    /// Retry rows now, even if the backend asked to wait
    #[command(after_help = examples::OUTBOX_RETRY)]
    Retry(RowSelection),
    /// Give rows up: they are not sent any more, and no longer count as dead
    #[command(after_help = examples::OUTBOX_DISCARD)]
    Discard(RowSelection),
    /// Tell backends again what ended at a time or later, for example after another host has died: what the outbox does
    /// not have yet, and once more what was accepted, with the same ids and bytes. Backends of kind datadog-metrics, which
    /// would count it twice, are left out
    #[command(after_help = examples::OUTBOX_TELL)]
    Tell(TellOptions),
}

pub(super) fn run(options: &OutboxOptions, config: &Config) -> Result<(), CommandError> {
    match &options.command {
        None => {
            let reader = reader(config)?;
            refuse_unknown(&reader, config, options.backend.as_deref())?;
            list(options, &reader)
        }
        Some(OutboxCommand::Discard(which)) => {
            apply(config, &reader_with_password(config)?, RowCommand::Discard, which)
        }
        Some(OutboxCommand::Retry(which)) => {
            apply(config, &reader_with_password(config)?, RowCommand::Retry, which)
        }
        Some(OutboxCommand::Tell(which)) => tell::run(which, config),
    }
}

fn list(options: &OutboxOptions, reader: &Reader) -> Result<(), CommandError> {
    let (state, backend) = (options.state, named(options.backend.clone()));
    // JSON is for programs, which choose rows themselves.
    let hides_discarded = matches!(options.format.format, OutputFormat::Table);
    let limit = options.limit as usize;
    let filter = OutboxFilter { state, hides_discarded, backend, after: 0, limit };
    let page = reader.outbox(&filter).map_err(anyhow::Error::from)?;
    match options.format.format {
        OutputFormat::Json => print_json(&page)?,
        OutputFormat::Table => print(&page),
    }
    Ok(())
}

const COLUMNS: [Column; 10] = [
    Column::number("ID"),
    Column::text("BACKEND").cut_to(8),
    Column::text("SUBJECT").cut_in_middle_to(14),
    Column::text("DEPLOYMENT").cut_to(10).droppable(0),
    Column::number("REVISION").droppable(1),
    Column::text("STATE"),
    Column::number("ATTEMPTS").droppable(2),
    Column::text("NEXT ATTEMPT").droppable(3),
    Column::text("ANSWER"),
    Column::text("ERROR").cut_to(12).favoured(),
];

/// Index of the column with the names of deployments. It is left out if no row is about a deployment.
const DEPLOYMENT: usize = 3;

fn print(page: &OutboxPage) {
    for backend in &page.backends {
        print_out(folded(&backend_line(backend), is_terminal().then(width)));
    }
    if page.hidden > 0 {
        print_err(format_args!(
            "discarded rows that are not shown: {} (--state discarded shows them)",
            page.hidden
        ));
    }
    if page.rows.is_empty() {
        return print_err("no rows");
    }
    print_out(table(&page.rows, width()).trim_end());
    if page.next.is_some() {
        print_err("there are more rows: use a higher --limit");
    }
}

/// Line wrapped to `width` columns, with further lines indented. `None` (no terminal): the line stays whole.
fn folded(line: &str, width: Option<usize>) -> String {
    const INDENT: &str = "    ";
    let Some(width) = width else { return line.to_owned() };
    wrapped(line, width.saturating_sub(INDENT.len()).max(1)).join(&format!("\n{INDENT}"))
}

/// The table of a listing.
pub(super) fn table(rows: &[OutboxRow], width: usize) -> String {
    let mut columns = COLUMNS.to_vec();
    let mut cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    if rows.iter().all(|row| row.deployment_name.is_none()) {
        columns.remove(DEPLOYMENT);
        for cells in &mut cells {
            cells.remove(DEPLOYMENT);
        }
    }
    render(&columns, &cells, width)
}

/// Short id of a row's subject: an incident's id without the prefix of its source. Other ids stay whole.
pub(super) fn short(subject: &str) -> &str {
    sources::ALL.of_failure(subject).map_or(subject, |(_, incident)| incident)
}

/// State of a row, with remarks: sent once more, suspect.
fn state(row: &OutboxRow) -> String {
    let odd = [(row.repeats, "once more"), (row.suspect, "suspect")];
    let odd = odd.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words);
    std::iter::once(row.state.as_str()).chain(odd).collect::<Vec<_>>().join(", ")
}

fn cells(row: &OutboxRow) -> Vec<String> {
    vec![
        row.id.to_string(),
        row.backend.clone(),
        short(row.subject.id()).to_owned(),
        or_dash(row.deployment_name.as_ref()),
        row.revision.to_string(),
        state(row),
        // A refused credential is not an attempt: without this text, a 403 would stand beside 0 attempts.
        if row.refusals > 0 {
            format!("{}, {} refused", row.attempts, row.refusals)
        } else {
            row.attempts.to_string()
        },
        or_dash(row.next_attempt_at.map(second).as_ref()),
        or_dash(row.last_status.map(|status| status.to_string()).as_ref()),
        or_dash(row.last_error.as_ref()),
    ]
}

/// Line with the state of a backend.
fn backend_line(status: &BackendStatus) -> String {
    let BackendStatus { backend, lane, state, waiting, last_status, .. } = status;
    let mut line = match lane {
        Lane::Main => format!("{backend}: {}", state.description()),
        Lane::ApplicationKey => format!("{backend} (application key): {}", state.description()),
    };
    let is_down = !matches!(state, BackendState::Idle | BackendState::Delivering);
    let mut add = |what: &str, at: Option<Timestamp>| {
        line += &at.map(|at| format!("{what}{}", second(at))).unwrap_or_default();
    };
    add(" since ", status.since.filter(|_| is_down));
    add(&format!(", {waiting} waiting since "), status.oldest_waiting_at);
    add(", next attempt ", status.next_attempt_at);
    add(", last success ", status.last_success_at);
    let answer = match (last_status, &status.last_error) {
        (None, Some(error)) => format!("; last error: {error}"),
        (Some(_), Some(error)) => format!("; last answer: {error}"),
        (Some(status), None) => format!("; last answer: HTTP {status}"),
        (None, None) => String::new(),
    };
    printable(&(line + &answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_folded_only_on_a_terminal() {
        let line = "datadog: down since 2026-11-28T22:00:00Z, 3 waiting since 2026-11-28T21:00:00Z; last answer: HTTP 403";
        let shown = folded(line, Some(60));
        assert!(shown.lines().count() > 1 && shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
        assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(folded(line, None), line);
        assert_eq!(folded("datadog: idle", Some(60)), "datadog: idle");
    }
}
