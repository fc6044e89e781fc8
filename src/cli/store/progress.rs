//! Progress of a copy: a bar on a terminal, lines otherwise.

use std::fmt::Display;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::table::print_err;
use crate::domain::human_duration::human_duration;
use crate::store::copy::{CopyProgress, CopyStage};

/// Time between two lines if there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows how far a copy has come.
pub(in crate::cli) struct Progress {
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
    began: Instant,
    last_line: Instant,
    /// Time that the copying took, without the comparison.
    took: Duration,
}

impl Progress {
    pub(in crate::cli) fn begin() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}, {eta} left") {
                bar.set_style(style);
            }
            bar
        });
        let now = Instant::now();
        Self { bar, began: now, last_line: now, took: Duration::ZERO }
    }

    pub(in crate::cli) fn show(&mut self, CopyProgress { stage, table, done, all }: CopyProgress) {
        let verb = match stage {
            CopyStage::Copying => "copying",
            CopyStage::Comparing => "comparing",
        };
        if stage == CopyStage::Copying {
            self.took = self.began.elapsed();
        }
        if let Some(bar) = &self.bar {
            if bar.length() != Some(all) || bar.position() > done {
                bar.reset();
                bar.set_length(all);
            }
            bar.set_message(format!("{verb} {table}"));
            bar.set_position(done);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            print_err(format_args!("{verb} {table}: {done} of {all} rows"));
        }
    }

    /// Removes the bar. Returns the time that the copying took.
    pub(in crate::cli) fn end(self) -> Duration {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.took
    }
}

/// Begin of the last line.
pub(super) fn summary(rows: u64, took: Duration, (from, to): (impl Display, impl Display)) -> String {
    let seconds = took.as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 rows")]
    let rate = rows as f64 / seconds;
    format!("Copied {rows} rows in {} ({rate:.0} rows a second) from {from} to {to}", human_duration(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_the_rate() {
        assert_eq!(
            summary(6_000, Duration::from_secs(75), ("a.db", "postgres://db/dora")),
            "Copied 6000 rows in 1m 15s (80 rows a second) from a.db to postgres://db/dora"
        );
    }
}
