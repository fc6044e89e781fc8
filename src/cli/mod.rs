//! Commands of the program.

mod backfill;
mod backup;
mod cells;
mod changed_fields;
mod check;
mod command_error;
mod config;
mod credentials;
mod daemon;
mod demo;
mod deployments;
mod examples;
mod explain;
mod explained_deployment;
mod failures;
mod health;
mod import;
mod manual;
mod options;
mod outbox;
mod outbox_commands;
mod quarantine;
mod reevaluate;
mod report;
mod runtime;
mod send;
mod serve;
mod stepwise;
mod store;
mod store_reader;
mod story_tables;
mod subscription;
mod table;
mod tell;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use self::command_error::CommandError;
use crate::config::Config;
use crate::run::problems_of_secrets;
use crate::telemetry::logs::Logs;

/// Help of `--config`. Clap's `env` is not used: it refuses an empty variable, which counts as unset here.
const CONFIG_HELP: &str = "The configuration [default: $PAGERDUTY_DORA_CONFIG, else /etc/pagerduty-dora/config.toml, else \
                           ./config.toml, else built-in defaults]";

/// Turns PagerDuty incidents into DORA failures.
///
/// PagerDuty's V3 webhooks come in, their signatures are verified, and each incident becomes a failure with a
/// start and an end. Failures are kept in one SQLite file, or in a database of PostgreSQL that several daemons share;
/// completed ones are forwarded to the metrics backends.
#[derive(Parser)]
#[command(
    version = env!("PAGERDUTY_DORA_VERSION"),
    max_term_width = 110,
    after_help = "\
To see it at work:       pagerduty-dora demo
To set it up:            pagerduty-dora config example > config.toml
                         pagerduty-dora check
                         pagerduty-dora serve"
)]
struct Cli {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", help = CONFIG_HELP)]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon
    #[command(after_help = examples::SERVE)]
    Serve,
    /// Show the program at work, with made-up incidents and a metrics backend of its own; needs no configuration
    #[command(after_help = examples::DEMO)]
    Demo(demo::DemoOptions),
    /// Check the configuration, the secrets and the store, and ask PagerDuty, GitHub, GitLab and the backends
    #[command(after_help = examples::CHECK)]
    Check(check::CheckOptions),
    /// Sign payloads and send them as PagerDuty does
    #[command(after_help = examples::SEND)]
    Send(send::SendOptions),
    /// List failures, newest first
    #[command(after_help = examples::FAILURES)]
    Failures(failures::FailuresOptions),
    /// List deployments, latest end first
    #[command(after_help = examples::DEPLOYMENTS)]
    Deployments(deployments::DeploymentsOptions),
    /// Compute the DORA figures of a period
    #[command(after_help = examples::REPORT)]
    Report(report::ReportCommand),
    /// Show one failure or deployment: its events, the reason for each value, what was sent to backends
    #[command(after_help = examples::EXPLAIN)]
    Explain(explain::ExplainOptions),
    /// List the requests to backends, sent or not, oldest first; retry or discard them
    #[command(after_help = examples::OUTBOX)]
    Outbox(outbox::OutboxOptions),
    /// List signed webhooks that were not understood, or contradict a stored event; print one, or read them again
    #[command(after_help = examples::QUARANTINE)]
    Quarantine(quarantine::QuarantineOptions),
    /// Evaluate past failures and deployments again under the present configuration
    #[command(after_help = examples::REEVALUATE)]
    Reevaluate(reevaluate::ReevaluateOptions),
    /// Read the incidents of a period from PagerDuty's REST API, and repair what is missing
    #[command(after_help = examples::BACKFILL)]
    Backfill(backfill::BackfillOptions),
    /// Copy failures and deployments that another system holds into the store
    #[command(after_help = examples::IMPORT)]
    Import(import::ImportOptions),
    /// Show, enable, create or test PagerDuty's webhook subscription, through PagerDuty's REST API
    #[command(after_help = examples::SUBSCRIPTION)]
    Subscription(subscription::SubscriptionOptions),
    /// Copy the store while the daemon runs, and check the copy
    #[command(after_help = examples::BACKUP)]
    Backup(backup::BackupOptions),
    /// Copy the whole store to PostgreSQL, or to a file
    #[command(after_help = examples::STORE)]
    Store(store::StoreOptions),
    /// Exit with status 0 if the daemon says that it is ready
    #[command(after_help = examples::HEALTH)]
    Health,
    /// Print the example configuration, or the effective one
    #[command(after_help = examples::CONFIG)]
    Config(config::ConfigOptions),
    /// Print the completions of a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = examples::MAN)]
    Man,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let is_daemon = matches!(cli.command, Command::Serve);
    let logs = match start_logging(is_daemon) {
        Ok(logs) => logs,
        Err(error) => {
            table::print_err(format_args!(
                "pagerduty-dora: cannot start the thread that writes the log: {error}"
            ));
            return ExitCode::FAILURE;
        }
    };
    let status = match dispatch(cli, &logs).and_then(|()| Ok(table::check_output()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(command_error) => {
            // A wrong configuration is corrected by a person, so it is printed as plain text even if the log is JSON.
            if is_daemon && !matches!(command_error, CommandError::Usage(_)) {
                tracing::error!(status = command_error.exit_code(), "{command_error}");
            } else {
                for line in command_error.to_string().lines() {
                    logs.print(format_args!("pagerduty-dora: {line}"));
                }
            }
            ExitCode::from(command_error.exit_code())
        }
    };
    logs.finish();
    status
}

fn start_logging(is_daemon: bool) -> std::io::Result<Logs> {
    let color = table::is_color_allowed();
    if is_daemon { Logs::of_daemon(color) } else { Ok(Logs::of_command(color)) }
}

fn dispatch(cli: Cli, logs: &Logs) -> Result<(), CommandError> {
    let config = || Config::load(cli.config.as_deref());
    // Commands that use secrets report wrong secrets together with the other mistakes.
    let with_secrets = || Config::load_and(cli.config.as_deref(), problems_of_secrets);
    match cli.command {
        Command::Serve => serve::run(&with_secrets()?, logs),
        Command::Demo(options) => demo::run(&options),
        Command::Check(options) => check::run(&options, &with_secrets()?),
        Command::Send(options) => send::run(&options),
        Command::Failures(options) => failures::run(&options, &config()?),
        Command::Deployments(options) => deployments::run(&options, &config()?),
        Command::Report(options) => report::run(&options, &config()?),
        Command::Explain(options) => explain::run(&options, &config()?),
        Command::Outbox(options) => outbox::run(&options, &config()?),
        Command::Quarantine(options) => quarantine::run(&options, &config()?),
        Command::Reevaluate(options) => reevaluate::run(&options, &config()?),
        Command::Backfill(options) => backfill::run(&options, &config()?),
        Command::Import(options) => import::run(&options, &config()?),
        Command::Subscription(options) => subscription::run(&options, &config()?),
        Command::Backup(options) => backup::run(&options, &config()?),
        Command::Store(options) => store::run(&options, &config()?),
        Command::Health => health::run(&config()?),
        Command::Config(options) => config::run(&options, config),
        Command::Completions { shell } => manual::print_completions(Cli::command(), shell),
        Command::Man => manual::print_page(Cli::command()),
    }
}

#[cfg(test)]
mod tests;
