//! `backup`: copies the store while the daemon runs.

use std::fmt::Display;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use clap::{Args, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::command_error::CommandError;
use super::credentials::Credentials;
use super::store::Progress;
use super::store_reader::store_with_password;
use super::table::print_out;
use crate::config::Config;
use crate::store::copy::{self, CopySource, CopySummary};
use crate::store::{self, BackupSummary, StoreAddress};

#[derive(Args)]
pub(super) struct BackupOptions {
    /// The file to write; an older backup under this name is replaced
    file: PathBuf,

    /// Number of older backups to keep, as FILE.1 (the newest) to FILE.N
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = value_parser!(u32).range(..=1_000))]
    keep: u32,

    #[command(flatten)]
    credentials: Credentials,
}

pub(super) fn run(options: &BackupOptions, config: &Config) -> Result<(), CommandError> {
    if let Some(store) = &config.store.path {
        let BackupSummary { bytes, events, failures } = of_file(store, options)?;
        print_summary(options, Some(bytes), (events, failures));
    } else {
        let copied = of_database(config, options)?;
        print_summary(options, copied.bytes, (copied.events(), copied.failures()));
    }
    Ok(())
}

fn print_summary(
    options: &BackupOptions,
    bytes: Option<u64>,
    (events, failures): (impl Display, impl Display),
) {
    let size = bytes.map_or_else(
        || "a store of unknown size".to_owned(),
        |bytes| indicatif::BinaryBytes(bytes).to_string(),
    );
    print_out(format_args!(
        "{size} copied to {}, and checked (events: {events}, failures: {failures})",
        options.file.display()
    ));
}

fn of_file(store: &Path, options: &BackupOptions) -> anyhow::Result<BackupSummary> {
    let bar = stderr().is_terminal().then(|| {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
        let template = "{bar:24} {percent:>3} %  {binary_bytes} of {binary_total_bytes}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    });
    let backup = store::backup(store, &options.file, options.keep, |done, all| {
        if let Some(bar) = &bar {
            bar.set_length(all);
            bar.set_position(done);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    Ok(backup?)
}

/// Copies a database of PostgreSQL, as it is at one moment, into a file of SQLite.
fn of_database(config: &Config, options: &BackupOptions) -> Result<CopySummary, CommandError> {
    let target = StoreAddress::File(options.file.clone());
    let config = &options.credentials.in_config(config);
    let store = store_with_password(config)?.primary();
    let source = CopySource::beside_writers(store).map_err(anyhow::Error::from)?;
    let mut progress = Progress::begin();
    let copied = copy::copy(&source, &target, Some(options.keep), |now| progress.show(now));
    progress.end();
    Ok(copied.map_err(anyhow::Error::from)?)
}
