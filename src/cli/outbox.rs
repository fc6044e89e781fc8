//! `outbox`: what backends were told, have still to be told, and would not take.

use std::sync::Arc;

use anyhow::anyhow;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Subcommand};
use serde::Deserialize;

use super::daemon::Daemon;
use super::explain::only_one;
use super::failures::{or_dash, second};
use super::table::{Column, render, say, say_json, tell, width};
use super::{Failed, Format, FormatName, examples, runtime};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::store::{Obeyed, Order, OutboxFilter, OutboxPage, OutboxRow, Reader, RowState};
use crate::{Direct, catalog};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(subcommand)]
    order: Option<Do>,

    /// Only rows in this state: what waits to be told is pending, what was not taken is dead
    #[arg(long, value_parser = state_parser())]
    state: Option<RowState>,

    /// At most that many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    #[command(flatten)]
    format: Format,
}

#[derive(Subcommand)]
enum Do {
    /// Try rows again, now
    #[command(group(ArgGroup::new("which").required(true).args(["ids", "all"])), after_help = examples::OUTBOX_RETRY)]
    Retry {
        /// Rows, or a failure or deployment for all its rows: its id or a unique beginning of it
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// All that are dead
        #[arg(long)]
        all: bool,
    },
    /// Give rows up
    #[command(after_help = examples::OUTBOX_DISCARD)]
    Discard {
        /// Rows, or a failure or deployment for all its rows: its id or a unique beginning of it
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

/// The states, by the words that JSON and tables have for them.
fn state_parser() -> impl TypedValueParser<Value = RowState> {
    PossibleValuesParser::new(RowState::ALL.map(RowState::as_str)).map(|name| {
        let is_named = |state: &RowState| state.as_str() == name;
        RowState::ALL.into_iter().find(is_named).unwrap_or(RowState::Pending)
    })
}

pub(super) fn run(options: &Options, config: &Config) -> Result<(), Failed> {
    let reader =
        Reader::open(&config.store.path, config.dora.link_window.get()).map_err(anyhow::Error::from)?;
    match &options.order {
        None => list(options, &reader),
        Some(Do::Discard { ids }) => give(config, Order::Discard, &rows(&reader, ids)?),
        Some(Do::Retry { ids, all: false }) => give(config, Order::Retry, &rows(&reader, ids)?),
        Some(Do::Retry { all: true, .. }) => give(config, Order::Retry, &dead(&reader)?),
    }
}

fn list(options: &Options, reader: &Reader) -> Result<(), Failed> {
    let filter = OutboxFilter { state: options.state, after: 0, limit: options.limit as usize };
    let page = reader.outbox(&filter).map_err(anyhow::Error::from)?;
    match options.format.format {
        FormatName::Json => say_json(&page)?,
        FormatName::Table => print(&page),
    }
    Ok(())
}

const COLUMNS: [Column; 9] = [
    Column::number("ID"),
    Column::text("BACKEND").cut_to(8),
    Column::text("SUBJECT").id_of(14),
    Column::number("REVISION").leaves(1),
    Column::text("STATE"),
    Column::number("ATTEMPTS").leaves(2),
    Column::text("NEXT ATTEMPT").leaves(3),
    Column::text("ANSWER"),
    Column::text("ERROR").cut_to(12).favoured(),
];

fn print(page: &OutboxPage) {
    if page.rows.is_empty() {
        return tell("no rows");
    }
    say(table(&page.rows, width()).trim_end());
    if page.next.is_some() {
        tell("there are more: --limit shows them");
    }
}

/// The table of a listing.
pub(super) fn table(rows: &[OutboxRow], width: usize) -> String {
    render(&COLUMNS, &rows.iter().map(cells).collect::<Vec<_>>(), width)
}

/// A PagerDuty incident by its own id, which is all that differs.
fn short(subject: &str) -> &str {
    subject.strip_prefix("pagerduty:").unwrap_or(subject)
}

fn cells(row: &OutboxRow) -> Vec<String> {
    vec![
        row.id.to_string(),
        row.backend.clone(),
        short(row.subject()).to_owned(),
        row.revision.to_string(),
        row.state.as_str().to_owned(),
        row.attempts.to_string(),
        or_dash(row.next_attempt_at.map(second).as_ref()),
        or_dash(row.last_status.map(|status| status.to_string()).as_ref()),
        or_dash(row.last_error.as_ref()),
    ]
}

/// The rows that are named: by their numbers, or by what they are about.
fn rows(reader: &Reader, ids: &[String]) -> anyhow::Result<Vec<i64>> {
    let mut rows = Vec::new();
    for id in ids {
        match id.trim().parse() {
            Ok(row) => rows.push(row),
            Err(_) => rows.extend(reader.rows_of(&only_one(reader, id)?)?),
        }
    }
    Ok(rows)
}

/// All rows that are dead.
fn dead(reader: &Reader) -> anyhow::Result<Vec<i64>> {
    let filter = OutboxFilter { state: Some(RowState::Dead), after: 0, limit: usize::MAX };
    Ok(reader.outbox(&filter)?.rows.iter().map(|row| row.id).collect())
}

/// By way of the daemon where it runs, and in the store where it does not. Says what came of each row.
fn give(config: &Config, order: Order, ids: &[i64]) -> Result<(), Failed> {
    if ids.is_empty() {
        tell("no rows");
    }
    let refused = runtime()?.block_on(async {
        match Daemon::find(config).await? {
            Some(daemon) => Ok(by_daemon(&daemon, order, ids).await?),
            None => directly(config, order, ids).await,
        }
    })?;
    if refused > 0 {
        return Err(Failed::Tried(anyhow!("{refused} of {} rows stay as they are", ids.len())));
    }
    Ok(())
}

/// Returns how many were refused.
async fn by_daemon(daemon: &Daemon, order: Order, ids: &[i64]) -> anyhow::Result<usize> {
    let mut refused = 0;
    for id in ids {
        let response = daemon.post(&format!("/api/v1/outbox/{id}/{}", order.as_str())).await?;
        refused += usize::from(!response.status().is_success());
        let answer: Answer = serde_json::from_str(&response.text().await?)?;
        say(format_args!("{id}: {}", answer.detail));
    }
    Ok(refused)
}

async fn directly(config: &Config, order: Order, ids: &[i64]) -> Result<usize, Failed> {
    tell(format_args!("no daemon answers at {}: changing the store itself", config.admin.listen));
    let direct = Direct::open(config, &Arc::new(catalog::policy(config)?))?;
    let mut refused = 0;
    for id in ids {
        let obeyed =
            direct.store().order(*id, order, SystemClock.now()).await.map_err(anyhow::Error::from)?;
        refused += usize::from(obeyed != Obeyed::Done);
        say(format_args!("{id}: {}", obeyed.says(order)));
    }
    direct.close().await?;
    Ok(refused)
}

#[derive(Deserialize)]
struct Answer {
    detail: String,
}
