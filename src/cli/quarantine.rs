//! `quarantine`: lists, shows and retries signed webhooks that were not understood, or contradict a stored
//! event.

use std::sync::Arc;

use anyhow::anyhow;
use clap::{ArgGroup, Args, Subcommand};

use super::command_error::CommandError;
use super::daemon::{DaemonAnswer, DaemonClient};
use super::examples;
use super::failures::{or_dash, second};
use super::options::{FormatOption, OutputFormat, limit};
use super::runtime::runtime;
use super::store_reader::{reader, reader_with_password};
use super::table::{Column, print_err, print_json, print_out, render, width};
use crate::config::Config;
use crate::domain::printable::printable;
use crate::store::{QuarantinePage, QuarantineRetry, Quarantined, QuarantinedBody, Reader};
use crate::{OfflineStore, catalog};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct QuarantineOptions {
    #[command(subcommand)]
    command: Option<QuarantineCommand>,

    /// Greatest number of rows to show
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = limit)]
    limit: u32,

    #[command(flatten)]
    format: FormatOption,
}

#[derive(Subcommand)]
enum QuarantineCommand {
    /// Print one webhook with its whole body
    #[command(after_help = examples::QUARANTINE_SHOW)]
    Show {
        /// Number of the row, as `quarantine` lists it
        #[arg(value_name = "ID", value_parser = row)]
        id: i64,

        #[command(flatten)]
        format: FormatOption,
    },
    /// Read webhooks again with this version of the program; those that it understands become events
    #[command(
        group(ArgGroup::new("which").required(true).args(["ids", "all"])),
        after_help = examples::QUARANTINE_RETRY
    )]
    Retry {
        /// Numbers of the rows, as `quarantine` lists them
        #[arg(value_name = "ID", value_parser = row)]
        ids: Vec<i64>,
        /// Every row in quarantine
        #[arg(long)]
        all: bool,
    },
}

/// Reads the number of a row.
fn row(text: &str) -> Result<i64, String> {
    text.trim()
        .parse()
        .map_err(|_| "a number is needed: `pagerduty-dora quarantine` lists the numbers".to_owned())
}

pub(super) fn run(options: &QuarantineOptions, config: &Config) -> Result<(), CommandError> {
    match &options.command {
        None => list(options, &reader(config)?),
        Some(QuarantineCommand::Show { id, format }) => show(*id, format.format, &reader(config)?),
        Some(QuarantineCommand::Retry { ids, all: false }) => retry(config, ids, true),
        Some(QuarantineCommand::Retry { all: true, .. }) => {
            retry(config, &all(&reader_with_password(config)?)?, false)
        }
    }
}

fn list(options: &QuarantineOptions, reader: &Reader) -> Result<(), CommandError> {
    let page = reader.quarantine(0, options.limit as usize).map_err(anyhow::Error::from)?;
    match options.format.format {
        OutputFormat::Json => print_json(&page)?,
        OutputFormat::Table => print(&page),
    }
    Ok(())
}

const COLUMNS: [Column; 6] = [
    Column::number("ID"),
    Column::text("RECEIVED"),
    Column::text("SOURCE").droppable(3),
    Column::number("BYTES").droppable(2),
    Column::text("DELIVERY").cut_to(12).droppable(1),
    Column::text("REASON").wrapped_to(24),
];

fn print(page: &QuarantinePage) {
    if page.rows.is_empty() {
        return print_err("the quarantine is empty");
    }
    let rows: Vec<Vec<String>> = page
        .rows
        .iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                second(row.received_at),
                row.source.clone(),
                row.bytes.to_string(),
                or_dash(row.delivery_id.as_ref()),
                row.reason.clone(),
            ]
        })
        .collect();
    print_out(render(&COLUMNS, &rows, width()).trim_end());
    if page.next.is_some() {
        print_err("there are more rows: use a higher --limit");
    }
}

fn show(id: i64, format: OutputFormat, reader: &Reader) -> Result<(), CommandError> {
    let Some(found) = reader.quarantined(id).map_err(anyhow::Error::from)? else {
        return Err(CommandError::Failed(anyhow!("there is no row {id} in quarantine")));
    };
    if matches!(format, OutputFormat::Json) {
        return Ok(print_json(&found)?);
    }
    let Quarantined { row, body } = found;
    print_out(format_args!("id        {}", row.id));
    print_out(format_args!("received  {}", second(row.received_at)));
    print_out(format_args!("delivery  {}", printable(row.delivery_id.as_deref().unwrap_or("–"))));
    print_out(format_args!("reason    {}", printable(&row.reason)));
    let (title, text) = match body {
        QuarantinedBody::Text(text) => ("body", text),
        QuarantinedBody::Base64(text) => ("body, in base64, because it is not UTF-8", text),
    };
    print_out(format_args!("{title} ({} bytes):\n", row.bytes));
    text.split('\n').for_each(|line| print_out(printable(line)));
    Ok(())
}

/// Ids of all rows in quarantine.
fn all(reader: &Reader) -> anyhow::Result<Vec<i64>> {
    Ok(reader.quarantine(0, usize::MAX)?.rows.iter().map(|row| row.id).collect())
}

/// Retries rows through the daemon if it runs, else directly in the store.
fn retry(config: &Config, ids: &[i64], names_each: bool) -> Result<(), CommandError> {
    if ids.is_empty() {
        print_err("the quarantine is empty: there is nothing to read again");
        return Ok(());
    }
    let mut outcome = RetryOutcome { rows: ids.len(), names_each, gone: 0, staying: 0 };
    let tried = runtime()?.block_on(async {
        match DaemonClient::find(config).await? {
            Some(daemon) => Ok(by_daemon(&daemon, ids, &mut outcome).await?),
            None => directly(config, ids, &mut outcome).await,
        }
    });
    outcome.close(tried)
}

/// Outcome of the rows so far. Each row is printed at once, because a later one may fail.
struct RetryOutcome {
    rows: usize,
    /// `true` if rows that left the quarantine are printed, too.
    names_each: bool,
    gone: usize,
    staying: usize,
}

impl RetryOutcome {
    fn row(&mut self, id: i64, is_gone: bool, message: &str) {
        (self.gone, self.staying) = (self.gone + usize::from(is_gone), self.staying + usize::from(!is_gone));
        if self.names_each || !is_gone {
            print_out(format_args!("{id}: {}", printable(message)));
        }
    }

    /// Prints a line with the total, or returns it as an error.
    fn close(&self, tried: Result<(), CommandError>) -> Result<(), CommandError> {
        let Self { rows, gone, staying, .. } = self;
        match tried {
            Ok(()) if *staying == 0 => {
                print_out(format_args!("{gone} of {rows} rows have left the quarantine"));
                Ok(())
            }
            Ok(()) => Err(CommandError::Failed(anyhow!("{staying} of {rows} rows stay in quarantine"))),
            Err(CommandError::Failed(error)) if gone + staying > 0 => {
                Err(CommandError::Failed(error.context(format!(
                    "stopped after {} of {rows} rows; {gone} have left the quarantine",
                    gone + staying
                ))))
            }
            Err(failed) => Err(failed),
        }
    }
}

async fn by_daemon(daemon: &DaemonClient, ids: &[i64], outcome: &mut RetryOutcome) -> anyhow::Result<()> {
    for id in ids {
        let response = daemon.post(&format!("/api/v1/quarantine/{id}/retry")).await?;
        let is_gone = response.status().is_success();
        let answer: DaemonAnswer = serde_json::from_str(&response.text().await?)?;
        outcome.row(*id, is_gone, &answer.detail);
    }
    Ok(())
}

async fn directly(config: &Config, ids: &[i64], outcome: &mut RetryOutcome) -> Result<(), CommandError> {
    print_err(format_args!("no daemon answers at {}: changing the store directly", config.admin.listen));
    let direct = OfflineStore::open(config, &Arc::new(catalog::policy(config)?))?;
    for id in ids {
        let retried = direct.store().retry_quarantined(*id).await;
        let retried = retried.map_err(anyhow::Error::from)?;
        outcome.row(*id, matches!(retried, QuarantineRetry::Recorded(_)), &retried.message());
    }
    Ok(direct.close().await?)
}
