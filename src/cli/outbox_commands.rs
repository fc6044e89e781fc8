//! `outbox retry` and `outbox discard`: through the daemon if it runs, else directly in the store.

use std::sync::Arc;

use anyhow::{anyhow, bail};
use clap::{ArgGroup, Args};

use super::command_error::CommandError;
use super::daemon::{DaemonAnswer, DaemonClient};
use super::explain::{MAX_LISTED_IDS, ambiguous, find_one};
use super::runtime::runtime;
use super::table::{print_err, print_out};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::sources;
use crate::store::{
    CommandCursor, CommandOutcome, CommandTotals, MOST_COUNTED, OutboxFilter, Reader, RetryCursor, RowCommand,
};
use crate::{OfflineStore, catalog};

/// Rows that a command applies to.
#[derive(Args)]
#[command(group(ArgGroup::new("which").required(true).args(["ids", "all"])))]
pub(super) struct RowSelection {
    /// Number of a row; or, for all rows of a failure or deployment, its id or a unique beginning of its id. Write
    /// row:4200 if the number 4200 is also the beginning of an id
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// All dead rows
    #[arg(long)]
    all: bool,
    /// With --all: only rows for this backend
    #[arg(long, value_name = "B", conflicts_with = "ids")]
    backend: Option<String>,
}

/// Refuses a backend that is neither configured nor in the outbox. Usually its name is misspelt.
pub(super) fn refuse_unknown(
    reader: &Reader,
    config: &Config,
    backend: Option<&str>,
) -> Result<(), CommandError> {
    let Some(backend) = backend else { return Ok(()) };
    let unknown = reader.unknown_backend(backend, &config.backend_entries()).map_err(anyhow::Error::from)?;
    unknown.map_or(Ok(()), |unknown| Err(CommandError::Usage(anyhow!("--backend: {unknown}"))))
}

/// Applies the command and prints the result: a line for each named row, or one line with the total.
pub(super) fn apply(
    config: &Config,
    reader: &Reader,
    command: RowCommand,
    which: &RowSelection,
) -> Result<(), CommandError> {
    refuse_unknown(reader, config, which.backend.as_deref())?;
    let Named { rows: ids, without_rows } = rows(reader, command, &which.ids)?;
    runtime()?.block_on(async {
        let daemon = DaemonClient::find(config).await?;
        if daemon.is_none() {
            print_err(format_args!(
                "no daemon answers at {}: changing the store directly",
                config.admin.listen
            ));
        }
        match (daemon, which.all) {
            (Some(daemon), true) => print_total(command, all_by_daemon(&daemon, command, which).await?),
            (Some(daemon), false) => refused(by_daemon(&daemon, command, &ids).await?, ids.len())?,
            (None, true) => print_total(command, all_directly(config, command, which).await?),
            (None, false) => refused(directly(config, command, &ids).await?, ids.len())?,
        }
        Ok::<_, CommandError>(())
    })?;
    match without_rows.as_slice() {
        [] => Ok(()),
        sentences => Err(CommandError::Failed(anyhow!(sentences.join("\n")))),
    }
}

fn print_total(command: RowCommand, CommandTotals { done, outdated, waiting }: CommandTotals) {
    let result = match command {
        RowCommand::Retry => "tried again now",
        RowCommand::Discard => "given up",
    };
    let left = match outdated {
        0 => String::new(),
        1 => "; 1 dead row skipped: a newer revision has replaced it".to_owned(),
        n => format!("; {} skipped: newer revisions have replaced them", dead_rows(n)),
    };
    let tried = match waiting {
        0 => String::new(),
        1 => "; 1 waiting row is tried now".to_owned(),
        n if n < u64::from(MOST_COUNTED) => format!("; {n} waiting rows are tried now"),
        n => format!("; {n} or more waiting rows are tried now"),
    };
    print_out(format_args!("{} {result}{left}{tried}", dead_rows(done)));
}

/// Prefix of a row's number. No id has it.
const ROW: &str = "row:";
/// Fewest digits that may be the beginning of an id. Fewer digits are always the number of a row.
const SHORTEST_BEGINNING: usize = 4;

/// Rows that the given ids name.
#[derive(Default)]
struct Named {
    rows: Vec<i64>,
    /// A sentence for each failure and deployment that has no pending or dead row.
    without_rows: Vec<String>,
}

/// Number of the row that a text names. `None` if the text is the beginning of an id.
fn row(reader: &Reader, text: &str) -> anyhow::Result<Option<i64>> {
    if let Some(number) = text.strip_prefix(ROW) {
        return match number.parse() {
            Ok(row) => Ok(Some(row)),
            Err(_) => bail!("{text:?} names no row: give a number after {ROW}"),
        };
    }
    let Ok(row) = text.parse::<i64>() else { return Ok(None) };
    let others = if text.len() < SHORTEST_BEGINNING {
        Vec::new()
    } else {
        reader.find(text, sources::ALL, MAX_LISTED_IDS + 1)?
    };
    if others.is_empty() {
        return Ok(Some(row));
    }
    let filter = OutboxFilter { after: row.saturating_sub(1), limit: 1, ..OutboxFilter::default() };
    if reader.outbox(&filter)?.rows.first().is_some_and(|found| found.id == row) {
        bail!("{:#}\n  {ROW}{row} (that row of the outbox)", ambiguous(text, &others));
    }
    Ok(None)
}

/// Finds the rows that are named by their numbers, or by the failures and deployments that they belong to.
fn rows(reader: &Reader, command: RowCommand, ids: &[String]) -> anyhow::Result<Named> {
    let mut named = Named::default();
    for id in ids {
        if let Some(row) = row(reader, id.trim())? {
            named.rows.push(row);
            continue;
        }
        let found = find_one(reader, id, LISTINGS)?;
        let rows = reader.rows_of(&found)?;
        if rows.is_empty() {
            named.without_rows.push(format!(
                "{} has no rows to {}: none is pending or dead; `explain {0}` shows what was sent",
                found.id,
                command.as_str()
            ));
        }
        named.rows.extend(rows);
    }
    Ok(named)
}

/// Advice on where to find the ids that the commands take.
const LISTINGS: &str = "`outbox` lists the rows, with the failure or deployment of each";

fn dead_rows(n: u64) -> String {
    format!("{n} dead {}", if n == 1 { "row" } else { "rows" })
}

fn refused(refused: usize, all: usize) -> Result<(), CommandError> {
    match refused {
        0 => Ok(()),
        n => Err(CommandError::Failed(anyhow!("{n} of {all} rows were not changed"))),
    }
}

async fn all_by_daemon(
    daemon: &DaemonClient,
    command: RowCommand,
    which: &RowSelection,
) -> anyhow::Result<CommandTotals> {
    let backend = which.backend.iter().map(|backend| ("backend", backend));
    // Only the query of this URL is used: `daemon.post` knows the address.
    let url = reqwest::Url::parse_with_params("http://daemon/", backend)?;
    let path = format!("/api/v1/outbox/{}?{}", command.as_str(), url.query().unwrap_or_default());
    let response = daemon.post(&path).await?;
    let (is_done, text) = (response.status().is_success(), response.text().await?);
    if !is_done {
        bail!("the daemon refused the command: {}", serde_json::from_str::<DaemonAnswer>(&text)?.detail);
    }
    Ok(serde_json::from_str(&text)?)
}

async fn all_directly(
    config: &Config,
    command: RowCommand,
    which: &RowSelection,
) -> Result<CommandTotals, CommandError> {
    let direct = OfflineStore::open(config, &Arc::new(catalog::policy(config)?))?;
    let (mut total, mut after, now) =
        (CommandTotals::default(), Some(CommandCursor::default()), SystemClock.now());
    // This comes first because it counts the waiting rows: the loop makes dead rows wait, too.
    let mut waiting = (command == RowCommand::Retry).then(RetryCursor::default);
    while let Some(last) = waiting {
        let some = direct.store().request_retry_of_some(which.backend.clone(), last, now);
        let (part, next) = some.await.map_err(anyhow::Error::from)?;
        total += part;
        waiting = next;
    }
    while let Some(last) = after {
        let some = direct.store().apply_command_to_some(which.backend.clone(), command, last, now);
        let (part, next) = some.await.map_err(anyhow::Error::from)?;
        total += part;
        after = next;
    }
    direct.close().await?;
    Ok(total)
}

/// Returns the number of refused rows.
async fn by_daemon(daemon: &DaemonClient, command: RowCommand, ids: &[i64]) -> anyhow::Result<usize> {
    let mut refused = 0;
    for id in ids {
        let response = daemon.post(&format!("/api/v1/outbox/{id}/{}", command.as_str())).await?;
        refused += usize::from(!response.status().is_success());
        let answer: DaemonAnswer = serde_json::from_str(&response.text().await?)?;
        print_out(format_args!("{id}: {}", answer.detail));
    }
    Ok(refused)
}

async fn directly(config: &Config, command: RowCommand, ids: &[i64]) -> Result<usize, CommandError> {
    let direct = OfflineStore::open(config, &Arc::new(catalog::policy(config)?))?;
    let mut refused = 0;
    for id in ids {
        let outcome = direct
            .store()
            .apply_command(*id, command, SystemClock.now())
            .await
            .map_err(anyhow::Error::from)?;
        refused += usize::from(outcome != CommandOutcome::Done);
        print_out(format_args!("{id}: {}", outcome.message(command)));
    }
    direct.close().await?;
    Ok(refused)
}
