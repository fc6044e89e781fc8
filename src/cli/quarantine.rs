//! `quarantine`: signed webhooks that were not understood. They can be looked at, and read again.

use std::sync::Arc;

use anyhow::anyhow;
use clap::{ArgGroup, Args, Subcommand};
use serde::Deserialize;

use super::daemon::Daemon;
use super::failures::{or_dash, second};
use super::table::{Column, render, say, tell, width};
use super::{Failed, Format, FormatName, examples, limit, runtime};
use crate::config::Config;
use crate::domain::printable::printable;
use crate::pagerduty::payload;
use crate::store::{QuarantinePage, Quarantined, Reader, Retried};
use crate::{Direct, catalog};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(subcommand)]
    order: Option<Do>,

    /// Show no more rows than this
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = limit)]
    limit: u32,

    #[command(flatten)]
    format: Format,
}

#[derive(Subcommand)]
enum Do {
    /// Print one webhook with its whole body
    #[command(after_help = examples::QUARANTINE_SHOW)]
    Show {
        /// Number of the row, as `quarantine` lists it
        #[arg(value_name = "ID", value_parser = row)]
        id: i64,

        #[command(flatten)]
        format: Format,
    },
    /// Read webhooks again with this version of the program; what is understood becomes an event
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

/// The number of a row.
fn row(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| "a number is needed: `pagerduty-dora quarantine` lists them".to_owned())
}

pub(super) fn run(options: &Options, config: &Config) -> Result<(), Failed> {
    let reader =
        Reader::open(&config.store.path, config.dora.link_window.get()).map_err(anyhow::Error::from)?;
    match &options.order {
        None => list(options, &reader),
        Some(Do::Show { id, format }) => show(*id, format.format, &reader),
        Some(Do::Retry { ids, all: false }) => retry(config, ids, true),
        Some(Do::Retry { all: true, .. }) => retry(config, &all(&reader)?, false),
    }
}

fn list(options: &Options, reader: &Reader) -> Result<(), Failed> {
    let page = reader.quarantine(0, options.limit as usize).map_err(anyhow::Error::from)?;
    match options.format.format {
        FormatName::Json => say(serde_json::to_string_pretty(&page).map_err(anyhow::Error::from)?),
        FormatName::Table => print(&page),
    }
    Ok(())
}

const COLUMNS: [Column; 5] = [
    Column::number("ID"),
    Column::text("RECEIVED"),
    Column::number("BYTES").leaves(2),
    Column::text("DELIVERY").cut_to(12).leaves(1),
    Column::text("REASON").wrapped_to(24),
];

fn print(page: &QuarantinePage) {
    if page.rows.is_empty() {
        return tell("the quarantine is empty: every signed webhook was understood");
    }
    let rows: Vec<Vec<String>> = page
        .rows
        .iter()
        .map(|row| {
            vec![
                row.id.to_string(),
                second(row.received_at),
                row.bytes.to_string(),
                or_dash(row.delivery_id.as_ref()),
                row.reason.clone(),
            ]
        })
        .collect();
    say(render(&COLUMNS, &rows, width()).trim_end());
    if page.next.is_some() {
        tell("there are more: --limit shows them");
    }
}

fn show(id: i64, format: FormatName, reader: &Reader) -> Result<(), Failed> {
    let Some(found) = reader.quarantined(id).map_err(anyhow::Error::from)? else {
        return Err(Failed::Tried(anyhow!("there is no row {id} in quarantine")));
    };
    if matches!(format, FormatName::Json) {
        say(serde_json::to_string_pretty(&found).map_err(anyhow::Error::from)?);
        return Ok(());
    }
    let Quarantined { row, body, body_base64 } = found;
    say(format_args!("id        {}", row.id));
    say(format_args!("received  {}", second(row.received_at)));
    say(format_args!("delivery  {}", printable(row.delivery_id.as_deref().unwrap_or("–"))));
    say(format_args!("reason    {}", printable(&row.reason)));
    let (title, text) = match (body, body_base64) {
        (Some(text), _) => ("body", text),
        (None, base64) => ("body, in base64, because it is not UTF-8", base64.unwrap_or_default()),
    };
    say(format_args!("{title} ({} bytes):\n", row.bytes));
    text.split('\n').for_each(|line| say(printable(line)));
    Ok(())
}

/// The ids of all that are in quarantine.
fn all(reader: &Reader) -> anyhow::Result<Vec<i64>> {
    Ok(reader.quarantine(0, usize::MAX)?.rows.iter().map(|row| row.id).collect())
}

/// By way of the daemon where it runs, and in the store where it does not. Says what came of each row that was named,
/// or that stays, and the total.
fn retry(config: &Config, ids: &[i64], is_each_told: bool) -> Result<(), Failed> {
    let told = runtime()?.block_on(async {
        match Daemon::find(config).await? {
            Some(daemon) => Ok(by_daemon(&daemon, ids).await?),
            None => directly(config, ids).await,
        }
    })?;
    let left = told.iter().filter(|(_, is_done, _)| !is_done).count();
    for (id, is_done, said) in &told {
        if is_each_told || !is_done {
            say(format_args!("{id}: {}", printable(said)));
        }
    }
    say(format_args!("{} of {} have left the quarantine", told.len() - left, told.len()));
    if left > 0 {
        return Err(Failed::Tried(anyhow!("{left} of {} rows stay as they are", told.len())));
    }
    Ok(())
}

/// A row, whether it has left the quarantine, and what came of it in words.
type Told = (i64, bool, String);

async fn by_daemon(daemon: &Daemon, ids: &[i64]) -> anyhow::Result<Vec<Told>> {
    let mut told = Vec::new();
    for id in ids {
        let response = daemon.post(&format!("/api/v1/quarantine/{id}/retry")).await?;
        let is_done = response.status().is_success();
        let answer: Answer = serde_json::from_str(&response.text().await?)?;
        told.push((*id, is_done, answer.detail));
    }
    Ok(told)
}

async fn directly(config: &Config, ids: &[i64]) -> Result<Vec<Told>, Failed> {
    tell(format_args!("no daemon answers at {}: changing the store itself", config.admin.listen));
    let direct = Direct::open(config, &Arc::new(catalog::policy(config)?))?;
    let mut told = Vec::new();
    for id in ids {
        let retried = direct.store().retry_quarantined(*id, payload::heading_or_reason).await;
        let retried = retried.map_err(anyhow::Error::from)?;
        told.push((*id, matches!(retried, Retried::Recorded(_)), retried.says()));
    }
    direct.close().await?;
    Ok(told)
}

#[derive(Deserialize)]
struct Answer {
    detail: String,
}
