//! `backup`: copies the store while the daemon runs.

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;

use clap::{Args, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::command_error::CommandError;
use super::table::print_out;
use crate::config::Config;
use crate::store;

#[derive(Args)]
pub(super) struct BackupOptions {
    /// The file to write; an older backup under this name is replaced
    file: PathBuf,

    /// Number of older backups to keep, as FILE.1 (the newest) to FILE.N
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = value_parser!(u32).range(..=1_000))]
    keep: u32,
}

pub(super) fn run(options: &BackupOptions, config: &Config) -> Result<(), CommandError> {
    let bar = stderr().is_terminal().then(|| {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
        let template = "{bar:24} {percent:>3} %  {binary_bytes} of {binary_total_bytes}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    });
    let backup = store::backup(&config.store.path, &options.file, options.keep, |done, all| {
        if let Some(bar) = &bar {
            bar.set_length(all);
            bar.set_position(done);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let store::BackupSummary { bytes, events, failures } = backup.map_err(anyhow::Error::from)?;
    print_out(format_args!(
        "{} copied to {}, and checked (events: {events}, failures: {failures})",
        indicatif::BinaryBytes(bytes),
        options.file.display()
    ));
    Ok(())
}
