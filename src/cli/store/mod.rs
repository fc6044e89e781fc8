//! `store copy`: copies the whole store to a database of PostgreSQL or to a file, and proves that both hold the same.

mod progress;

use std::fmt::Display;
use std::sync::Arc;

use anyhow::anyhow;
use clap::{Args, Subcommand};

pub(super) use self::progress::Progress;
use super::command_error::CommandError;
use super::credentials::Credentials;
use super::examples;
use super::options::report_defaults;
use super::runtime::runtime;
use super::table::print_out;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::domain::figures::{Grouping, ReportOptions};
use crate::domain::policy::Policy;
use crate::run::{other_store, store_of_command};
use crate::store::copy::{self, CopySource, CopySummary, compare_reevaluations, compare_reports};
use crate::store::{FiguresReader, Reader, StoreAddress};
use crate::{OfflineStore, catalog, sources};

#[derive(Args)]
pub(super) struct StoreOptions {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Copy the whole store to PostgreSQL or to a file, while no daemon runs, and prove that both hold the same
    #[command(after_help = examples::STORE_COPY)]
    Copy(CopyOptions),
}

#[derive(Args)]
struct CopyOptions {
    /// The new store: `postgres://USER@HOST/DATABASE`, whose schema must have no tables of a store, or a new file
    #[arg(long, value_name = "URL|FILE")]
    to: String,
    #[command(flatten)]
    credentials: Credentials,
}

pub(super) fn run(options: &StoreOptions, config: &Config) -> Result<(), CommandError> {
    let Action::Copy(CopyOptions { to, credentials }) = &options.action;
    let config = &credentials.in_config(config);
    let target = other_store(to, config).map_err(|message| CommandError::Usage(anyhow!("--to {message}")))?;
    let source = store_of_command(config)?.primary();
    let policy = Arc::new(catalog::policy(config)?);
    runtime()?.block_on(async {
        // Folds what an earlier process has left, and keeps daemons out of a file until the copy is proven.
        let direct = OfflineStore::open(config, &policy)?;
        direct.store().wait_until_folded().await;
        let copied = copy_and_prove(config, &policy, &source, &target);
        let closed = direct.close().await;
        copied?;
        Ok(closed?)
    })
}

fn copy_and_prove(
    config: &Config,
    policy: &Policy,
    address: &StoreAddress,
    target: &StoreAddress,
) -> anyhow::Result<()> {
    let source = CopySource::alone(address.clone())?;
    let mut progress = Progress::begin();
    let copied = copy::copy(&source, target, None, |now| progress.show(now));
    let took = progress.end();
    let CopySummary { tables, bytes: _ } = copied?;
    let mut rows = 0;
    for (table, digest) in &tables {
        rows += digest.rows;
        print_out(same(table, digest));
    }
    let stores = [address, target];
    let is_same = [prove_reevaluation(stores, policy)?, prove_report(stores, config)?];
    // Nobody writes to the source until everything is compared.
    drop(source);
    if is_same.contains(&false) {
        return Err(anyhow!("{target} differs from {address}: do not use it"));
    }
    print_out(format_args!("{}, and both hold the same.", progress::summary(rows, took, (address, target))));
    Ok(())
}

/// Line about something that both stores have.
fn same(subject: impl Display, value: impl Display) -> String {
    format!("{subject}: {value}, the same in both")
}

/// Evaluates everything in both stores.
fn prove_reevaluation(stores: [&StoreAddress; 2], policy: &Policy) -> anyhow::Result<bool> {
    let [source, target] = stores.map(|address| Reader::open(address.clone()));
    let found = compare_reevaluations([&source?, &target?], policy, sources::ALL)?;
    let (would_change, looked_at) = (found.would_change, found.looked_at);
    print_out(if found.differ {
        "reevaluate --dry-run: DIFFERENT in both".to_owned()
    } else {
        let changes = format!("{would_change} of {looked_at} failures and deployments would change");
        same("reevaluate --dry-run", changes)
    });
    Ok(!found.differ)
}

/// Computes the figures of the last 90 days from both stores.
fn prove_report(stores: [&StoreAddress; 2], config: &Config) -> anyhow::Result<bool> {
    let options = ReportOptions {
        since: Some("90d"),
        by: Some(Grouping::Service),
        env: Some("all"),
        ..ReportOptions::default()
    };
    let query =
        options.query(SystemClock.now(), report_defaults(config), "--").map_err(|error| anyhow!(error))?;
    let [source, target] = stores.map(|address| FiguresReader::open(address.clone()));
    let found = compare_reports([&source?, &target?], &query)?;
    print_out(if found.differ {
        "report --since 90d: DIFFERENT in both".to_owned()
    } else {
        same("report --since 90d", format!("{} bytes, SHA-256 {}", found.bytes, found.sha256))
    });
    Ok(!found.differ)
}
