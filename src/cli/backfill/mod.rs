//! `backfill`: reads the incidents of a period from PagerDuty's REST API, and repairs what is missing.

mod summary;

use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;

use self::summary::Summary;
use super::command_error::CommandError;
use super::daemon::DaemonClient;
use super::options::{FormatOption, OutputFormat};
use super::runtime::runtime;
use super::stepwise::{Advance, Course, Step, Words, by_daemon, period, resumed_at, steps};
use super::store_reader::{figures_reader_with_password, reader_with_password};
use super::subscription::API_IS_MISSING;
use super::table::{print_err, print_json};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::backfill::{BackfillOrder, BackfillStep};
use crate::domain::figures::{ReportQuery, Row};
use crate::domain::policy::Policy;
use crate::run::{self, outgoing, rest_client};
use crate::store::FiguresReader;
use crate::{OfflineStore, catalog};

const WORDS: Words = Words { system: "PagerDuty", records: "incidents" };

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
    let query = period(&options.since, options.until.as_deref(), config)?;
    let (since, until) = (query.since, query.until);
    let policy = Arc::new(catalog::policy(config)?);
    let reader = reader_with_password(config)?;
    let unfinished = reader.unfinished_backfill().map_err(anyhow::Error::from)?;
    let at = if options.dry_run { since } else { resumed_at(unfinished, (since, until), "backfill") };
    let figures = figures_reader_with_password(config)?;
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
    let course = Course { at: order.at, until: order.until, is_dry_run: order.is_dry_run };
    if let Some(daemon) = DaemonClient::find(config).await? {
        let fingerprint = policy.fingerprint();
        let step = async |at| by_daemon(&daemon, &path(&fingerprint, BackfillOrder { at, ..order })).await;
        return Ok(steps(course, WORDS, |step| summary.add(step), step).await?);
    }
    let client = rest_client(config, &outgoing(config)?)?
        .ok_or_else(|| anyhow!("[pagerduty.api] is not configured"))?;
    // The store is opened first, so that the line below is not printed if there is no store.
    let direct = OfflineStore::open(config, policy)?;
    let what = if order.is_dry_run { "nothing is changed" } else { "changing the store directly" };
    print_err(format_args!("no daemon answers at {}: {what}", config.admin.listen));
    let backfill = run::backfill(config, client, direct.store().clone(), Arc::new(SystemClock));
    let result = steps(
        course,
        WORDS,
        |step| summary.add(step),
        async |at| Ok(backfill.step(BackfillOrder { at, ..order }).await?),
    )
    .await;
    drop(backfill);
    direct.close().await?;
    Ok(result?)
}

fn path(fingerprint: &str, order: BackfillOrder) -> String {
    let BackfillOrder { since, until, at, is_dry_run, is_quiet } = order;
    format!(
        "/api/v1/backfill?policy={fingerprint}&since={since}&until={until}&at={at}&dry_run={is_dry_run}\
         &quiet_backends={is_quiet}"
    )
}

impl Step for BackfillStep {
    fn advance(&self) -> Advance {
        let Self { at, done, ref failed, .. } = *self;
        Advance { at, is_done: done, failed: failed.clone(), found: self.incidents, wait: None }
    }
}
