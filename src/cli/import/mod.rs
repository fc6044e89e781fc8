//! `import`: reads the failures and deployments that another system holds into the store.

mod summary;

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use self::summary::Summary;
use super::command_error::CommandError;
use super::daemon::DaemonClient;
use super::examples;
use super::options::{FormatOption, OutputFormat};
use super::runtime::runtime;
use super::stepwise::{Advance, Course, Step, Words, by_daemon, period, resumed_at, steps};
use super::store_reader::reader_with_password;
use super::table::{print_err, print_json};
use crate::clock::SystemClock;
use crate::config::{BackendKind, BackendSection, Config};
use crate::domain::import::{ImportOrder, ImportStep};
use crate::domain::policy::Policy;
use crate::run::{self, listing_backends};
use crate::{OfflineStore, catalog};

const WORDS: Words = Words { system: "Datadog", records: "failures and deployments" };

#[derive(Args)]
pub(super) struct ImportOptions {
    #[command(subcommand)]
    system: System,
}

#[derive(Subcommand)]
enum System {
    /// Import what Datadog's DORA API holds; backends are not told
    #[command(after_help = examples::IMPORT_DATADOG)]
    Datadog(DatadogOptions),
}

#[derive(Args)]
struct DatadogOptions {
    /// Failures and deployments that started then or later: RFC 3339, a date, or an age such as 730d
    #[arg(long, value_name = "T")]
    since: String,

    /// Failures and deployments that started before: RFC 3339, a date, or an age [default: now]
    #[arg(long, value_name = "T")]
    until: Option<String>,

    /// The backend of kind datadog whose keys are used [default: the only one]
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    format: FormatOption,
}

pub(super) fn run(options: &ImportOptions, config: &Config) -> Result<(), CommandError> {
    let System::Datadog(options) = &options.system;
    let entry = backend(config, options.backend.as_deref())?;
    let query = period(&options.since, options.until.as_deref(), config)?;
    let (since, until) = (query.since, query.until);
    let policy = Arc::new(catalog::policy(config)?);
    let reader = reader_with_password(config)?;
    let name = entry.name.get_ref().as_str();
    let unfinished = reader.unfinished_import(name).map_err(anyhow::Error::from)?;
    let at = if options.dry_run { since } else { resumed_at(unfinished, (since, until), "import") };
    let order = ImportOrder { since, until, at, is_dry_run: options.dry_run };
    let mut summary = Summary::begin(order);
    let result = runtime()?.block_on(read(config, entry, &policy, order, &mut summary));
    match options.format.format {
        OutputFormat::Json => print_json(&summary)?,
        // A run that could not begin has nothing to say.
        OutputFormat::Table if result.is_err() && summary.up_to == at => {}
        OutputFormat::Table => summary.print(),
    }
    result?;
    match summary.incomplete() {
        Some(what) => Err(anyhow!(what).into()),
        None => Ok(()),
    }
}

/// The backend whose keys are used.
fn backend<'a>(config: &'a Config, wanted: Option<&str>) -> Result<&'a BackendSection, CommandError> {
    let name = |entry: &'a BackendSection| entry.name.get_ref().as_str();
    let of_datadog = || config.backend.iter().filter(|entry| *entry.kind.get_ref() == BackendKind::Datadog);
    let names = of_datadog().map(name).collect::<Vec<_>>().join(", ");
    let usage = |message: String| Err(CommandError::Usage(anyhow!(message)));
    let mut chosen = of_datadog().filter(|entry| wanted.is_none_or(|wanted| name(entry) == wanted));
    match (chosen.next(), chosen.next(), wanted) {
        (Some(_), Some(_), _) => {
            usage(format!("several backends are of kind \"datadog\": choose one with --backend: {names}"))
        }
        (Some(entry), None, _) if listing_backends(config).any(|lists| name(lists) == name(entry)) => {
            Ok(entry)
        }
        (Some(entry), None, _) => usage(format!(
            "backend {:?} needs application_key: Datadog requires one for reading (permission dora_metrics_read)",
            name(entry)
        )),
        (None, _, Some(wanted)) if !names.is_empty() => {
            usage(format!("no backend of kind \"datadog\" has the name {wanted:?}; there are: {names}"))
        }
        (None, ..) => usage(
            "no [[backend]] of kind \"datadog\" is configured: add one with url, api_key and application_key"
                .to_owned(),
        ),
    }
}

/// Reads through the daemon if it runs, else directly.
async fn read(
    config: &Config,
    entry: &BackendSection,
    policy: &Arc<Policy>,
    order: ImportOrder,
    summary: &mut Summary,
) -> Result<(), CommandError> {
    let course = Course { at: order.at, until: order.until, is_dry_run: order.is_dry_run };
    if let Some(daemon) = DaemonClient::find(config).await? {
        let (fingerprint, name) = (policy.fingerprint(), entry.name.get_ref().as_str());
        let step =
            async |at| by_daemon(&daemon, &path(&fingerprint, name, ImportOrder { at, ..order })).await;
        return Ok(steps(course, WORDS, |step| summary.add(step), step).await?);
    }
    // The store is opened first, so that the line below is not printed if there is no store.
    let direct = OfflineStore::open(config, policy)?;
    let what = if order.is_dry_run { "nothing is changed" } else { "changing the store directly" };
    print_err(format_args!("no daemon answers at {}: {what}", config.admin.listen));
    let import = run::import(config, entry, policy, direct.store().clone(), Arc::new(SystemClock));
    let import = import.map_err(|problem| CommandError::Usage(anyhow!(problem.to_string())))?;
    let result = steps(
        course,
        WORDS,
        |step| summary.add(step),
        async |at| Ok(import.step(ImportOrder { at, ..order }).await?),
    )
    .await;
    drop(import);
    direct.close().await?;
    Ok(result?)
}

fn path(fingerprint: &str, backend: &str, order: ImportOrder) -> String {
    let ImportOrder { since, until, at, is_dry_run } = order;
    let backend = percent_encoding::utf8_percent_encode(backend, percent_encoding::NON_ALPHANUMERIC);
    format!(
        "/api/v1/import?policy={fingerprint}&backend={backend}&since={since}&until={until}&at={at}&dry_run={is_dry_run}"
    )
}

impl Step for ImportStep {
    fn advance(&self) -> Advance {
        let Self { at, done, ref failed, .. } = *self;
        Advance {
            at,
            is_done: done,
            failed: failed.clone(),
            found: self.found(),
            wait: self.wait_seconds.map(Duration::from_secs),
        }
    }
}
