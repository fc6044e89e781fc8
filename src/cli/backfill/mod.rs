//! `backfill`: reads the incidents of a period from PagerDuty's REST API, and repairs what is missing.

mod progress;
mod summary;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::progress::Progress;
use self::summary::Summary;
use super::command_error::CommandError;
use super::daemon::DaemonClient;
use super::options::{FormatOption, OutputFormat, report_defaults};
use super::runtime::runtime;
use super::subscription::API_IS_MISSING;
use super::table::{print_err, print_json};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::backfill::{BackfillOrder, BackfillStep};
use crate::domain::figures::{Grouping, ReportOptions, ReportQuery, Row};
use crate::domain::policy::Policy;
use crate::domain::timestamp::Timestamp;
use crate::run::{self, outgoing, rest_client};
use crate::store::{FiguresReader, Reader};
use crate::{OfflineStore, catalog};

/// Longest time of a step: PagerDuty may ask all requests to pause for some minutes.
const MAX_STEP: Duration = Duration::from_mins(30);

#[derive(Args)]
pub(super) struct BackfillOptions {
    /// Incidents that were created then or later: RFC 3339, a date, or an age such as 365d
    #[arg(long, value_name = "T")]
    since: String,

    /// Incidents that were created before: RFC 3339, a date, or an age [default: now]
    #[arg(long, value_name = "T")]
    until: Option<String>,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Send none of the changes to backends, now or later
    #[arg(long)]
    quiet_backends: bool,

    #[command(flatten)]
    format: FormatOption,
}

pub(super) fn run(options: &BackfillOptions, config: &Config) -> Result<(), CommandError> {
    if config.pagerduty.api.is_none() {
        return Err(CommandError::Usage(anyhow!(API_IS_MISSING)));
    }
    let query = period(options, config)?;
    let (since, until) = (query.since, query.until);
    let policy = Arc::new(catalog::policy(config)?);
    let reader = Reader::open(&config.store.path).map_err(anyhow::Error::from)?;
    let at = if options.dry_run { since } else { resumed_at(&reader, since, until)? };
    let figures = FiguresReader::open(&config.store.path).map_err(anyhow::Error::from)?;
    let before = (!options.dry_run).then(|| row(&figures, &query)).transpose()?;
    let order =
        BackfillOrder { since, until, at, is_dry_run: options.dry_run, is_quiet: options.quiet_backends };
    let mut summary = Summary::begin((since, until, at), options.dry_run);
    let result = runtime()?.block_on(read(config, &policy, order, &mut summary));
    if let Some(before) = before {
        summary.compare(before.as_ref(), row(&figures, &query)?.as_ref());
    }
    match options.format.format {
        OutputFormat::Json => print_json(&summary)?,
        // A run that could not begin has nothing to say.
        OutputFormat::Table if result.is_err() && summary.incidents == 0 => {}
        OutputFormat::Table => summary.print(),
    }
    if result.is_ok() && !summary.skipped.is_empty() {
        return Err(anyhow!("incidents that could not be read: {}", summary.skipped.len()).into());
    }
    result
}

/// The period, and the query for its figures.
fn period(options: &BackfillOptions, config: &Config) -> Result<ReportQuery, CommandError> {
    let period = ReportOptions {
        since: Some(&options.since),
        until: options.until.as_deref(),
        by: Some(Grouping::None),
        env: Some("all"),
        ..ReportOptions::default()
    };
    let query = period.query(SystemClock.now(), report_defaults(config), "--");
    let query = query.map_err(|error| CommandError::Usage(anyhow!(error)))?;
    // Nothing was created in the future.
    Ok(ReportQuery { until: query.until.min(SystemClock.now()), ..query })
}

/// Begin of this run: where an earlier one stopped, if it had read everything from `since` up to there.
fn resumed_at(reader: &Reader, since: Timestamp, until: Timestamp) -> anyhow::Result<Timestamp> {
    match reader.unfinished_backfill()? {
        Some((begin, up_to)) if begin <= since && since < up_to && up_to < until => {
            print_err(format_args!(
                "an earlier backfill has come up to {}: this one continues there",
                up_to.minute()
            ));
            Ok(up_to)
        }
        _ => Ok(since),
    }
}

/// The figures of all envs.
fn row(figures: &FiguresReader, query: &ReportQuery) -> anyhow::Result<Option<Row>> {
    Ok(figures.report(query)?.rows.into_iter().next())
}

/// Reads through the daemon if it runs, which keeps the limit of requests with everything else that it asks; else
/// directly.
async fn read(
    config: &Config,
    policy: &Arc<Policy>,
    order: BackfillOrder,
    summary: &mut Summary,
) -> Result<(), CommandError> {
    if let Some(daemon) = DaemonClient::find(config).await? {
        let fingerprint = policy.fingerprint();
        return Ok(steps(order, summary, async |order| by_daemon(&daemon, &fingerprint, order).await).await?);
    }
    let client = rest_client(config, &outgoing(config)?)?
        .ok_or_else(|| anyhow!("[pagerduty.api] is not configured"))?;
    // The store is opened first, so that the line below is not printed if there is no store.
    let direct = OfflineStore::open(config, policy)?;
    let what = if order.is_dry_run { "nothing is changed" } else { "changing the store directly" };
    print_err(format_args!("no daemon answers at {}: {what}", config.admin.listen));
    let backfill = run::backfill(config, client, direct.store().clone(), Arc::new(SystemClock));
    let result = steps(order, summary, async |order| Ok(backfill.step(order).await?)).await;
    drop(backfill);
    direct.close().await?;
    Ok(result?)
}

/// Does one step after the other, until the last one or until Ctrl-C.
async fn steps(
    mut order: BackfillOrder,
    summary: &mut Summary,
    step: impl AsyncFn(BackfillOrder) -> anyhow::Result<BackfillStep>,
) -> anyhow::Result<()> {
    let mut progress = Progress::begin(order.at, order.until);
    // One for all steps, so that a signal between two of them is not missed.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let result = loop {
        let (done, is_stopped) = until_stopped(step(order), &mut interrupt).await;
        match done {
            Ok(done) => {
                order.at = done.at;
                progress.advance(done.at, done.incidents);
                let (is_done, failed) = (done.done, done.failed.clone());
                summary.add(done);
                if let Some(reason) = failed {
                    break Err(anyhow!(reason));
                }
                if is_done {
                    break Ok(());
                }
            }
            Err(error) => break Err(error),
        }
        if is_stopped {
            break Err(anyhow!("stopped"));
        }
    };
    progress.end();
    // A dry run begins again. A run that could not begin is not continued.
    if order.is_dry_run || summary.incidents == 0 {
        result
    } else {
        result.context("not finished: run the same command again to continue")
    }
}

/// Waits for a step. Ctrl-C lets it finish, and stops after it; the second one stops at once. Returns `true` if there
/// was one.
async fn until_stopped(
    step: impl Future<Output = anyhow::Result<BackfillStep>>,
    interrupt: &mut Signal,
) -> (anyhow::Result<BackfillStep>, bool) {
    let mut step = pin!(step);
    tokio::select! {
        done = &mut step => return (done, false),
        _ = interrupt.recv() => print_err("stopping after this step"),
    }
    tokio::select! {
        done = step => (done, true),
        _ = interrupt.recv() => (Err(anyhow!("stopped")), true),
    }
}

async fn by_daemon(
    daemon: &DaemonClient,
    fingerprint: &str,
    order: BackfillOrder,
) -> anyhow::Result<BackfillStep> {
    let BackfillOrder { since, until, at, is_dry_run, is_quiet } = order;
    let path = format!(
        "/api/v1/backfill?policy={fingerprint}&since={since}&until={until}&at={at}&dry_run={is_dry_run}\
         &quiet_backends={is_quiet}"
    );
    let response = daemon.post_within(&path, MAX_STEP).await?;
    let (status, text) = (response.status(), response.text().await?);
    if !status.is_success() {
        bail!("the daemon answered {status}: {}", super::daemon::detail(&text));
    }
    Ok(serde_json::from_str(&text)?)
}
