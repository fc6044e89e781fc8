//! `demo`: plays a made-up day with a daemon, a metrics backend and PagerDuty, all in this process.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use clap::Args;
use tokio::time::sleep;

use self::datadog::Datadog;
use self::day::Day;
use self::instance::{
    Instance, Listen, POLL_INTERVAL, backend_config, daemon_config, is_taken, secret_of, write_secret,
    write_signing_token,
};
use self::pagerduty_api::PagerDutyApi;
use self::told::Forges;
use super::command_error::CommandError;
use super::failures::table;
use super::report;
use super::runtime::runtime;
use super::send::Sender;
use super::serve::stop_signal;
use super::table::{print_out, width};
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::domain::explain::Why;
use crate::domain::failure::FailureState;
use crate::domain::figures::Report;
use crate::domain::source_name::SourceName;
use crate::domain::timestamp::Timestamp;
use crate::store::{ListedFailure, Story};

mod datadog;
mod day;
mod instance;
mod pagerduty_api;
mod past;
mod story;
mod told;

#[derive(Args)]
pub(super) struct DemoOptions {
    /// Exit after the story, instead of staying up until Ctrl-C
    #[arg(long)]
    once: bool,

    /// Address for webhooks [default: 127.0.0.1:8080 if free, else any free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

const MORNING: &str = "2026-11-02T08:00:00Z";

pub(super) fn run(options: &DemoOptions) -> Result<(), CommandError> {
    Ok(runtime()?.block_on(show(options))?)
}

async fn show(options: &DemoOptions) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let secret = write_secret(folder.path(), "signing-secret")?;
    let key = write_secret(folder.path(), "events-api-key")?;
    let signing_token = write_signing_token(folder.path(), "gitlab-signing-token")?;
    // The day is in the past. Its clock is moved by hand, so that waiting five minutes takes no time.
    let clock = ManualClock::at(Timestamp::parse(MORNING)?);
    let backend = Instance::start(backend_config(folder.path(), &secret, &key), clock.clone()).await?;
    let api = PagerDutyApi::start(clock.clone()).await?;
    let datadog = Datadog::start().await?;
    let start = async |listen| {
        let others = (&backend, api.address, datadog.address);
        let config = daemon_config(folder.path(), (&secret, &signing_token), &key, listen, others)?;
        Instance::start(config, clock.clone()).await
    };
    let daemon = match start(Listen::usual(options.listen)).await {
        Err(error) if is_taken(&error) => start(Listen::any(options.listen)).await?,
        started => started?,
    };
    print_out(format_args!("webhooks go to    {}", daemon.webhooks()?));
    print_out(format_args!("the JSON API is   {}\n", daemon.api("failures")));

    let pagerduty = Sender::new(daemon.webhooks()?, secret_of(&secret).fetch(1)?)?;
    let mut day = Day::new(&daemon, &clock, (pagerduty, api), secret_of(&key).fetch(1)?);
    day.send_past().await?;
    day.play().await?;
    day.lose_and_repair().await?;
    let (github, gitlab) = (secret_of(&secret).fetch(1)?, secret_of(&signing_token).fetch(1)?);
    day.tell_deployments(&Forges { github, gitlab }, &datadog).await?;
    print_result(&daemon, &backend).await?;
    let dashboard = daemon.dashboard();
    if options.once {
        print_out(format_args!("\nthe dashboard was  {dashboard} (it stays up without --once)"));
    } else {
        print_out(format_args!("\nThe demo stays up until Ctrl-C.\nthe dashboard is  {dashboard}"));
        tokio::select! {
            () = stop_signal()? => {}
            () = go_on(&clock) => {}
        }
    }
    daemon.stop().await?;
    backend.stop().await
}

/// Prints the failures and figures of the day, and compares them with those of the backend.
async fn print_result(daemon: &Instance, backend: &Instance) -> anyhow::Result<()> {
    let mut listed = daemon.failures().await?;
    let verdict = verdict(&listed, &backend.failures().await?)?;
    listed.retain(|listed| listed.failure.source != SourceName::API);
    print_out(format_args!("The failures of the day:\n\n{}", table(&listed, width())));
    print_out("Why:\n");
    for failure in &listed {
        print_out(reason(&daemon.story(&failure.failure).await?));
    }
    print_out("\nThe figures of the day:\n");
    let report = daemon.get::<Report>(&format!("report?since={MORNING}")).await?;
    print_out(report::table(&report, &[], width()));
    print_out(verdict);
    let at_backend = backend.get::<Report>(&format!("report?since={MORNING}")).await?;
    print_out(verdict_on_deployments(&report, &at_backend)?);
    Ok(())
}

/// Lets the demo's clock run on from the evening of the made-up day, so that the dashboard shows the weeks of the demo.
async fn go_on(clock: &ManualClock) {
    let (evening, began) = (clock.now(), SystemClock.now());
    loop {
        clock.advance_to(evening.saturating_add(SystemClock.now().duration_since(began)));
        sleep(POLL_INTERVAL).await;
    }
}

/// Line with the most important decision about a failure. `explain` shows all decisions.
fn reason(story: &Story) -> String {
    let about = |about: &str| story.why.iter().find(|why| why.about == about);
    let telling = about("merged_into")
        .or_else(|| about("counts").filter(|why| why.value == "no"))
        .or_else(|| about("merged").and_then(|_| about("started_at")))
        .or_else(|| about("reopened"))
        .or_else(|| about("state"));
    let incident = story.failure.as_ref().and_then(|listed| listed.failure.incident.as_ref());
    let name = incident.map(ToString::to_string).unwrap_or_default();
    match telling {
        Some(Why { about, value, because }) => format!("  {name}  {about} {value}: {because}"),
        None => format!("  {name}"),
    }
}

/// Checks that the backend holds each completed failure once, with the same start and end.
fn verdict(listed: &[ListedFailure], at_backend: &[ListedFailure]) -> anyhow::Result<String> {
    let facts = |failures: &[ListedFailure]| -> Vec<_> {
        let completed = failures.iter().filter(|listed| listed.failure.state == FailureState::Completed);
        completed
            .map(|listed| (listed.failure.id.clone(), listed.failure.started_at, listed.failure.finished_at))
            .collect()
    };
    let (completed, held) = (facts(listed), facts(at_backend));
    if completed != held || held.len() != at_backend.len() {
        bail!(
            "the metrics backend does not hold the failures that were forwarded: {held:?} instead of {completed:?}"
        );
    }
    Ok(format!(
        "The metrics backend holds {} failures: each completed one once, with the same start and end.",
        held.len()
    ))
}

/// Checks that the backend also holds every deployment of the day once.
fn verdict_on_deployments(report: &Report, at_backend: &Report) -> anyhow::Result<String> {
    let count = |report: &Report| report.total.deployments.unwrap_or(0);
    let (sent, held) = (count(report), count(at_backend));
    ensure!(sent == held, "the metrics backend holds {held} deployments instead of {sent}");
    Ok(format!("It also holds the day's {held} deployments, each once."))
}
