//! Commands that read the past in steps: the period, the progress, Ctrl-C, and going on where an earlier run stopped.

mod progress;
mod words;

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::progress::Progress;
pub(super) use self::words::Words;
use super::command_error::CommandError;
use super::daemon::{DaemonClient, detail};
use super::options::report_defaults;
use super::table::print_err;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::domain::figures::{Grouping, ReportOptions, ReportQuery};
use crate::domain::timestamp::Timestamp;

/// Longest time of a step: an API may ask all requests to pause for some minutes.
const MAX_STEP: Duration = Duration::from_mins(30);
/// Maximum number of steps in a row that only wait.
const MOST_WAITS: u32 = 30;

/// Course of a run.
#[derive(Clone, Copy)]
pub(super) struct Course {
    /// Begin of the first step.
    pub(super) at: Timestamp,
    /// End of the period.
    pub(super) until: Timestamp,
    /// `true` if nothing is changed.
    pub(super) is_dry_run: bool,
}

/// State after a step.
pub(super) struct Advance {
    /// Time up to which everything is done.
    pub(super) at: Timestamp,
    /// `true` if it was the last step.
    pub(super) is_done: bool,
    /// Reason why the step ended early.
    pub(super) failed: Option<String>,
    /// Number of records that were found.
    pub(super) found: usize,
    /// Wait that the system asks for.
    pub(super) wait: Option<Duration>,
}

/// Result of a step.
pub(super) trait Step {
    /// State after it.
    fn advance(&self) -> Advance;
}

/// The period, and the query for its figures.
pub(super) fn period(since: &str, until: Option<&str>, config: &Config) -> Result<ReportQuery, CommandError> {
    let period = ReportOptions {
        since: Some(since),
        until,
        by: Some(Grouping::None),
        env: Some("all"),
        ..ReportOptions::default()
    };
    let query = period.query(SystemClock.now(), report_defaults(config), "--");
    let query = query.map_err(|error| CommandError::Usage(anyhow!(error)))?;
    // Nothing began in the future.
    Ok(ReportQuery { until: query.until.min(SystemClock.now()), ..query })
}

/// Begin of this run: where an earlier one stopped, if it had read everything from `since` up to there.
pub(super) fn resumed_at(
    unfinished: Option<(Timestamp, Timestamp)>,
    (since, until): (Timestamp, Timestamp),
    run: &str,
) -> Timestamp {
    match unfinished {
        Some((begin, up_to)) if begin <= since && since < up_to && up_to < until => {
            print_err(format_args!(
                "an earlier {run} has come up to {}: this one continues there",
                up_to.minute()
            ));
            up_to
        }
        _ => since,
    }
}

/// Does one step after the other, each from the time up to which the one before has come, until the last one or until
/// Ctrl-C.
pub(super) async fn steps<S: Step>(
    Course { at: begin, until, is_dry_run }: Course,
    words: Words,
    mut add: impl FnMut(S),
    step: impl AsyncFn(Timestamp) -> anyhow::Result<S>,
) -> anyhow::Result<()> {
    let (mut at, mut progress) = (begin, Progress::begin(begin, until, words));
    let (mut found, mut waits) = (0, 0);
    // One for all steps, so that a signal between two of them is not missed.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let result = loop {
        let (done, mut is_stopped) = until_stopped(step(at), &mut interrupt).await;
        match done {
            Ok(done) => {
                let advance = done.advance();
                waits = if advance.at > at { 0 } else { waits + 1 };
                at = advance.at;
                found += advance.found;
                progress.advance(at, advance.found);
                add(done);
                if let Some(reason) = advance.failed {
                    break Err(anyhow!(reason));
                }
                if advance.is_done {
                    break Ok(());
                }
                if let Some(wait) = advance.wait {
                    let wait = wait.max(shortest_wait(waits));
                    if waits > MOST_WAITS {
                        break Err(anyhow!("{} asks to wait again and again", words.system));
                    }
                    progress.wait(wait);
                    is_stopped |= stopped_within(wait, &mut interrupt).await;
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
    if is_dry_run || (found == 0 && at == begin) {
        result
    } else {
        result.context("not finished: run the same command again to continue")
    }
}

/// Waits for this time. Returns `true` if Ctrl-C came first.
/// Shortest wait before the next step after some steps in a row that only waited: the answer may name no wait, or a wrong one.
fn shortest_wait(waits: u32) -> Duration {
    Duration::from_secs(1 << waits.min(6))
}

async fn stopped_within(wait: Duration, interrupt: &mut Signal) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => false,
        _ = interrupt.recv() => true,
    }
}

/// Waits for a step. Ctrl-C lets it finish, and stops after it; the second one stops at once. Returns `true` if there
/// was one.
async fn until_stopped<S>(
    step: impl Future<Output = anyhow::Result<S>>,
    interrupt: &mut Signal,
) -> (anyhow::Result<S>, bool) {
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

/// Has the daemon do a step.
pub(super) async fn by_daemon<S: DeserializeOwned>(daemon: &DaemonClient, path: &str) -> anyhow::Result<S> {
    let response = daemon.post_within(path, MAX_STEP).await?;
    let (status, text) = (response.status(), response.text().await?);
    if !status.is_success() {
        bail!("the daemon answered {status}: {}", detail(&text));
    }
    Ok(serde_json::from_str(&text)?)
}
