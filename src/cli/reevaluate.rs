//! `reevaluate`: evaluates past failures and deployments under the present configuration.

use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use reqwest::StatusCode;
use serde_json::json;

use super::changed_fields;
use super::command_error::CommandError;
use super::daemon::DaemonClient;
use super::failures::since;
use super::options::{FormatOption, OutputFormat};
use super::runtime::runtime;
use super::store_reader::reader;
use super::table::{print_err, print_json, print_out};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::changed_deployment::ChangedDeployments;
use crate::domain::policy::Policy;
use crate::domain::timestamp::Timestamp;
use crate::sources;
use crate::store::{ReevaluateSpan, ReevaluatedBatch};
use crate::{OfflineStore, catalog};

#[derive(Args)]
pub(super) struct ReevaluateOptions {
    /// Only failures that started, and deployments whose last event was, then or later: RFC 3339, a date, or an age such as 30d
    #[arg(long, value_name = "T")]
    since: Option<String>,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    format: FormatOption,
}

pub(super) fn run(options: &ReevaluateOptions, config: &Config) -> Result<(), CommandError> {
    let since = since(options.since.as_deref(), config)?;
    let policy = Arc::new(catalog::policy(config)?);
    let result = runtime()?.block_on(async {
        if options.dry_run {
            let reader = reader(config)?;
            let would = async |span| Ok(reader.would_change(span, &policy, sources::ALL)?);
            Ok(all(since, would).await?)
        } else {
            change(config, &policy, since).await
        }
    })?;
    match options.format.format {
        OutputFormat::Json => {
            let ReevaluatedBatch { changed, looked_at, changed_deployments, looked_at_deployments, next: _ } =
                result;
            print_json(&json!({
                "changed": changed,
                "looked_at": looked_at,
                "changed_deployments": changed_deployments,
                "looked_at_deployments": looked_at_deployments,
                "dry_run": options.dry_run,
            }))?;
        }
        OutputFormat::Table => print(&result, options.dry_run),
    }
    Ok(())
}

/// Reevaluates through the daemon if it runs, else directly in the store.
async fn change(
    config: &Config,
    policy: &Arc<Policy>,
    since: Option<Timestamp>,
) -> Result<ReevaluatedBatch, CommandError> {
    if let Some(daemon) = DaemonClient::find(config).await? {
        let fingerprint = policy.fingerprint();
        return Ok(all(since, async |span| by_daemon(&daemon, &fingerprint, span).await).await?);
    }
    // The store is opened first, so that the line below is not printed if there is no store.
    let direct = OfflineStore::open(config, policy)?;
    print_err(format_args!("no daemon answers at {}: changing the store directly", config.admin.listen));
    let changed = all(since, async |span| Ok(direct.store().reevaluate(span, SystemClock.now()).await?));
    let changed = changed.await;
    direct.close().await?;
    Ok(changed?)
}

/// Runs all batches, one after the other. Returns the sum of their results.
async fn all(
    since: Option<Timestamp>,
    run_batch: impl AsyncFn(ReevaluateSpan) -> anyhow::Result<ReevaluatedBatch>,
) -> anyhow::Result<ReevaluatedBatch> {
    let (mut all, mut span) = (ReevaluatedBatch::default(), ReevaluateSpan { since, ..Default::default() });
    // A deployment of one batch may change another one, which a later batch changes again.
    let mut changed_deployments = ChangedDeployments::default();
    loop {
        let batch = run_batch(span).await?;
        all.changed.extend(batch.changed);
        all.looked_at += batch.looked_at;
        changed_deployments.extend(batch.changed_deployments);
        all.looked_at_deployments += batch.looked_at_deployments;
        match batch.next {
            Some(next) => span.from = next,
            None => break,
        }
    }
    all.changed_deployments = changed_deployments.into();
    Ok(all)
}

async fn by_daemon(
    daemon: &DaemonClient,
    fingerprint: &str,
    span: ReevaluateSpan,
) -> anyhow::Result<ReevaluatedBatch> {
    // The daemon refuses times before 2001. No failure started before that.
    let since = span.since.map(|since| since.to_string()).filter(|since| Timestamp::parse(since).is_ok());
    let since = since.map_or_else(String::new, |since| format!("&since={since}"));
    let (part, after) = (span.from.part.as_str(), span.from.after);
    let path = format!("/api/v1/reevaluate?policy={fingerprint}&part={part}&after={after}{since}");
    let response = daemon.post(&path).await?;
    let (status, text) = (response.status(), response.text().await?);
    if status == StatusCode::CONFLICT {
        bail!("the daemon runs with another configuration: reload or restart it, then try again");
    }
    if !status.is_success() {
        bail!("the daemon answered {status}: {text}");
    }
    Ok(serde_json::from_str(&text)?)
}

fn print(result: &ReevaluatedBatch, is_dry_run: bool) {
    let ReevaluatedBatch { changed, looked_at, changed_deployments, looked_at_deployments, next: _ } = result;
    let tables = [changed_fields::of_failures(changed), changed_fields::of_deployments(changed_deployments)];
    tables.into_iter().flatten().for_each(print_out);
    let verb = if is_dry_run { "would change" } else { "changed" };
    print_out(format_args!("{} of {looked_at} failures {verb}.", changed.len()));
    // Few stores have any.
    if *looked_at_deployments > 0 {
        let changed = changed_deployments.len();
        print_out(format_args!(
            "Evaluated deployments of GitHub and GitLab: {looked_at_deployments}. Entries of the listing that {verb}: {changed}."
        ));
    }
}
