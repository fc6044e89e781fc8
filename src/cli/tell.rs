//! `outbox tell`: tells backends again what ended at a time or later.

use std::sync::Arc;

use anyhow::{anyhow, bail};
use clap::Args;
use serde::Serialize;

use super::command_error::CommandError;
use super::daemon::{DaemonClient, detail};
use super::failures::since;
use super::options::{FormatOption, OutputFormat};
use super::runtime::runtime;
use super::table::{Column, print_err, print_json, print_out, render, width};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::tell::{TellOrder, TellPlace, TellStep, ToldBackend, ToldCounts};
use crate::domain::timestamp::Timestamp;
use crate::{OfflineStore, catalog};

#[derive(Args)]
pub(super) struct TellOptions {
    /// Failures and deployments that ended then or later: RFC 3339, a date, or an age such as 12h. Open failures, too, for
    /// a backend that takes them
    #[arg(long, value_name = "T")]
    since: String,

    /// Tell only this backend
    #[arg(long, value_name = "B")]
    backend: Option<String>,

    /// Show what would be told, and change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    format: FormatOption,
}

/// Result as JSON.
#[derive(Serialize)]
struct TellJson<'a> {
    since: Timestamp,
    dry_run: bool,
    backends: &'a [ToldBackend],
}

pub(super) fn run(options: &TellOptions, config: &Config) -> Result<(), CommandError> {
    refuse_unknown(config, options.backend.as_deref())?;
    let Some(since) = since(Some(&options.since), config)? else {
        return Err(CommandError::Usage(anyhow!("--since is missing")));
    };
    let order = TellOrder {
        since,
        backend: options.backend.clone(),
        from: TellPlace::default(),
        is_dry_run: options.dry_run,
    };
    let told = runtime()?.block_on(tell(config, order))?;
    match options.format.format {
        OutputFormat::Json => {
            print_json(&TellJson { since, dry_run: options.dry_run, backends: &told.backends })?;
        }
        OutputFormat::Table => {
            print_out(text(&told.backends, options.dry_run, width()).trim_end());
        }
    }
    Ok(())
}

/// Refuses a backend that is not configured, and a configuration without backends.
fn refuse_unknown(config: &Config, backend: Option<&str>) -> Result<(), CommandError> {
    let entries = config.backend_entries();
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    if names.is_empty() {
        return Err(CommandError::Usage(anyhow!(
            "no [[backend]] is configured: add the backends that are to be told, and reload the daemon"
        )));
    }
    match backend.filter(|backend| !names.contains(backend)) {
        Some(unknown) => Err(CommandError::Usage(anyhow!(
            "--backend: no [[backend]] has the name {unknown:?}; known: {}",
            names.join(", ")
        ))),
        None => Ok(()),
    }
}

/// Tells through the daemon if it runs, else directly in the store.
async fn tell(config: &Config, order: TellOrder) -> Result<TellStep, CommandError> {
    if let Some(daemon) = DaemonClient::find(config).await? {
        return Ok(all(order, async |order| {
            let step = by_daemon(&daemon, order).await?;
            refuse_outdated(config, order, &step)?;
            Ok(step)
        })
        .await?);
    }
    // The store is opened first, so that the line below is not printed if there is no store.
    let direct = OfflineStore::open(config, &Arc::new(catalog::policy(config)?))?;
    print_err(format_args!("no daemon answers at {}: changing the store directly", config.admin.listen));
    let told =
        all(order, async |order| Ok(direct.store().tell(order.clone(), SystemClock.now()).await?)).await;
    direct.close().await?;
    Ok(told?)
}

/// Runs all steps, one after the other. Returns the sum of their results.
async fn all(
    mut order: TellOrder,
    run_step: impl AsyncFn(&TellOrder) -> anyhow::Result<TellStep>,
) -> anyhow::Result<TellStep> {
    let mut all = TellStep::default();
    loop {
        all.add(run_step(&order).await?);
        match all.next {
            Some(next) => order.from = next,
            None => return Ok(all),
        }
    }
}

async fn by_daemon(daemon: &DaemonClient, order: &TellOrder) -> anyhow::Result<TellStep> {
    let TellOrder { since, backend, from: TellPlace { part, at, after }, is_dry_run } = order;
    let mut query = vec![
        ("since", since.to_string()),
        ("part", part.as_str().to_owned()),
        ("after", after.to_string()),
        ("dry_run", is_dry_run.to_string()),
    ];
    query.extend(at.map(|at| ("at", at.to_string())));
    query.extend(backend.clone().map(|backend| ("backend", backend)));
    // Only the query of this URL is used: `daemon.post` knows the address.
    let url = reqwest::Url::parse_with_params("http://daemon/", query)?;
    let path = format!("/api/v1/outbox/tell?{}", url.query().unwrap_or_default());
    let response = daemon.post(&path).await?;
    let (is_done, answer) = (response.status().is_success(), response.text().await?);
    if !is_done {
        bail!("the daemon refused the command: {}", detail(&answer));
    }
    Ok(serde_json::from_str(&answer)?)
}

/// Refuses to go on if the daemon does not have all backends of the configuration yet.
fn refuse_outdated(config: &Config, order: &TellOrder, step: &TellStep) -> anyhow::Result<()> {
    let is_missing = |name: &str| {
        order.backend.as_deref().is_none_or(|backend| backend == name)
            && step.backends.iter().all(|told| told.backend != name)
    };
    let entries = config.backend_entries();
    match entries.iter().find(|entry| is_missing(&entry.name)) {
        Some(entry) => bail!(
            "the running daemon does not have the backend {:?} yet: reload or restart it, then try again",
            entry.name
        ),
        None => Ok(()),
    }
}

const COLUMNS: [Column; 7] = [
    Column::text("BACKEND").cut_to(8),
    Column::text("ROWS"),
    Column::number("NEW"),
    Column::number("AGAIN"),
    Column::number("WAITING"),
    Column::number("DEAD"),
    Column::number("DISCARDED"),
];

/// The result for people.
fn text(backends: &[ToldBackend], is_dry_run: bool, width: usize) -> String {
    let (left_out, told): (Vec<_>, Vec<_>) = backends.iter().partition(|told| told.left_out);
    let cells: Vec<Vec<String>> = told.iter().flat_map(|told| cells(told)).collect();
    let table = (!cells.is_empty()).then(|| render(&COLUMNS, &cells, width));
    let mut total = ToldCounts::default();
    for told in told {
        total += told.rows.total();
    }
    let requests = match total.new + total.again {
        1 => "1 request".to_owned(),
        n => format!("{n} requests"),
    };
    let would_be = if is_dry_run { " would be" } else { "" };
    let dead =
        "Dead rows are not sent again: see `outbox --state dead`, then `outbox retry --all`.".to_owned();
    let left_out = left_out.iter().map(|ToldBackend { backend, .. }| {
        format!(
            "Backend {backend} is left out: it counts a sample once more each time it gets it (kind datadog-metrics)."
        )
    });
    let lines = table.into_iter().chain([format!("{requests}{would_be} put into the outbox.")]);
    lines.chain((total.dead > 0).then_some(dead)).chain(left_out).collect::<Vec<_>>().join("\n")
}

/// The rows of a backend: one for each kind that has a number.
fn cells(ToldBackend { backend, rows, .. }: &ToldBackend) -> Vec<Vec<String>> {
    let kinds = [("failures", rows.failures), ("deployments", rows.deployments), ("marks", rows.marks)];
    let kinds = kinds.into_iter().filter(|(_, counts)| *counts != ToldCounts::default());
    kinds
        .map(|(kind, ToldCounts { new, again, waiting, dead, discarded })| {
            let mut cells = vec![backend.clone(), kind.to_owned()];
            cells.extend([new, again, waiting, dead, discarded].map(|count| count.to_string()));
            cells
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tell::ToldRows;

    #[test]
    fn the_numbers_of_each_backend_are_shown() {
        let failures = ToldCounts { new: 12, again: 3, waiting: 1, dead: 2, discarded: 4 };
        let marks = ToldCounts { again: 1, ..ToldCounts::default() };
        let backends = [
            ToldBackend {
                backend: "datadog".to_owned(),
                left_out: false,
                rows: ToldRows { failures, marks, ..ToldRows::default() },
            },
            ToldBackend { backend: "metrics".to_owned(), left_out: true, rows: ToldRows::default() },
            ToldBackend { backend: "sink".to_owned(), left_out: false, rows: ToldRows::default() },
        ];
        insta::assert_snapshot!(text(&backends, false, 80), @r"
        BACKEND  ROWS      NEW  AGAIN  WAITING  DEAD  DISCARDED
        datadog  failures   12      3        1     2          4
        datadog  marks       0      1        0     0          0

        16 requests put into the outbox.
        Dead rows are not sent again: see `outbox --state dead`, then `outbox retry --all`.
        Backend metrics is left out: it counts a sample once more each time it gets it (kind datadog-metrics).
        ");
        insta::assert_snapshot!(text(&backends[2..], true, 80), @"0 requests would be put into the outbox.");
    }
}
