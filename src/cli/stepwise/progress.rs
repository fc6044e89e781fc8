//! Progress of a command that reads the past: a bar on a terminal, lines otherwise.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::words::Words;
use crate::cli::table::print_err;
use crate::domain::human_duration::human_duration;
use crate::domain::timestamp::Timestamp;

/// Time between two lines if there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Time between two pictures of the bar, also while nothing is read.
const TICK: Duration = Duration::from_millis(200);

/// Shows how far the command has come.
pub(super) struct Progress {
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
    since: Timestamp,
    until: Timestamp,
    began: Instant,
    last_line: Instant,
    found: usize,
    words: Words,
}

impl Progress {
    /// Progress from `since` to `until`.
    pub(super) fn begin(since: Timestamp, until: Timestamp, words: Words) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(1_000), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}") {
                bar.set_style(style);
            }
            bar.set_message(format!("asking {}", words.system));
            bar.enable_steady_tick(TICK);
            bar
        });
        let now = Instant::now();
        Self { bar, since, until, began: now, last_line: now, found: 0, words }
    }

    /// Shows that everything before `at` is done: `found` more records.
    pub(super) fn advance(&mut self, at: Timestamp, found: usize) {
        self.found += found;
        let done = share(self.since, at, self.until);
        let text = text(self.found, self.words.records, self.began.elapsed(), done);
        if let Some(bar) = &self.bar {
            bar.set_position(per_mille(done));
            bar.set_message(text);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            print_err(format_args!("up to {}: {text}", at.minute()));
        }
    }

    /// Shows that the system asks to wait.
    pub(super) fn wait(&self, wait: Duration) {
        let text = format!("{} asks to wait for {} s", self.words.system, wait.as_secs());
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None => print_err(text),
        }
    }

    /// Removes the bar.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Share of the period that is done, from 0 to 1.
fn share(since: Timestamp, at: Timestamp, until: Timestamp) -> f64 {
    let (done, whole) = (at.duration_since(since).as_secs_f64(), until.duration_since(since).as_secs_f64());
    if whole > 0.0 { (done / whole).clamp(0.0, 1.0) } else { 1.0 }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,000")]
fn per_mille(share: f64) -> u64 {
    (share * 1_000.0) as u64
}

/// Number of records, their rate, and the time that is left if the rest of the period has as many.
fn text(found: usize, records: &str, elapsed: Duration, done: f64) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 records")]
    let rate = found as f64 / seconds;
    let rate =
        if rate < 10.0 { format!("{:.0} a minute", rate * 60.0) } else { format!("{rate:.0} a second") };
    let left = if done > 0.0 {
        format!(", about {} left", human_duration(seconds / done * (1.0 - done)))
    } else {
        String::new()
    };
    format!("{found} {records}, {rate}{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn the_time_left_follows_from_the_share_of_the_period() {
        let (since, until) = (at("2026-01-01T00:00:00Z"), at("2026-01-05T00:00:00Z"));
        let done = share(since, at("2026-01-02T00:00:00Z"), until);
        assert_eq!(
            text(300, "incidents", Duration::from_mins(3), done),
            "300 incidents, 100 a minute, about 9m 00s left"
        );
        assert_eq!(text(30_000, "incidents", Duration::from_secs(10), 0.0), "30000 incidents, 3000 a second");
        assert_eq!(per_mille(done), 250);
        assert_eq!(per_mille(share(since, until, since)), 1_000, "an empty period is done");
    }
}
