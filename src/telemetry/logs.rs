//! Logs: lines on standard error, configured by `[log]` and `RUST_LOG`.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use super::log_queue::LogQueue;
use crate::config::{LogFormat, LogLevel, LogSection, journal_stream};

/// Longest time for writing the last lines at the end.
const MAX_WAIT: Duration = Duration::from_secs(1);

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// The program's logging. It is started once. Clones share it.
#[derive(Clone)]
pub struct Logs {
    /// `None` if each thread writes its own lines.
    queue: Option<LogQueue>,
    color: bool,
    /// `true` if each line begins with its priority.
    has_priorities: bool,
    lines: reload::Handle<BoxedLayer, Registry>,
}

impl Logs {
    /// Logging of a daemon: no thread waits until a line is written. Lines that cannot be written are dropped and
    /// counted. Lines are text of level `info` until [`Logs::configure`] is called.
    ///
    /// # Errors
    /// The system cannot start the thread that writes.
    pub fn of_daemon(color: bool) -> io::Result<Self> {
        let queue = LogQueue::start(io::stderr(), |dropped| {
            tracing::warn!(
                "{dropped} log lines were dropped: standard error was not read fast enough, or could not be written"
            );
        })?;
        // The default hook writes to standard error itself, and could block there.
        std::panic::set_hook(Box::new(|panic| {
            tracing::error!("a thread of the program {}", panic.to_string().replace('\n', " "));
        }));
        Ok(Self::start(Some(queue), LevelFilter::INFO, color, is_journal()))
    }

    /// Logging of a command that ends by itself: text, of level `warn`.
    pub fn of_command(color: bool) -> Self {
        Self::start(None, LevelFilter::WARN, color, false)
    }

    fn start(queue: Option<LogQueue>, level: LevelFilter, color: bool, has_priorities: bool) -> Self {
        let (filter, ignored) = filter(level);
        let look = Look { is_json: false, color, has_priorities };
        let (layer, handle) = reload::Layer::new(lines(queue.clone(), filter, look));
        // In tests this may be called twice. The second call has no effect.
        let _ = tracing_subscriber::registry().with(layer).try_init();
        if let Some(ignored) = ignored {
            tracing::warn!("RUST_LOG is not understood and is ignored: {ignored}");
        }
        Self { queue, color, has_priorities, lines: handle }
    }

    /// Applies the configuration. `RUST_LOG` overrides the level.
    pub fn configure(&self, log: &LogSection) {
        let level = match log.level {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
        };
        let is_json = match log.format {
            LogFormat::Auto => !io::stderr().is_terminal(),
            LogFormat::Text => false,
            LogFormat::Json => true,
        };
        let look = Look { is_json, color: self.color, has_priorities: self.has_priorities };
        let lines = lines(self.queue.clone(), filter(level).0, look);
        if let Err(error) = self.lines.reload(lines) {
            tracing::warn!(%error, "level and format of [log] could not be applied: the log stays as it was");
        }
    }

    /// Writes a plain line about an error, in order with the lines of the log.
    pub fn print(&self, line: impl fmt::Display) {
        let priority = if self.has_priorities { priority(Level::ERROR) } else { "" };
        let line = format!("{priority}{line}\n");
        match &self.queue {
            Some(queue) => queue.push(line.as_bytes()),
            None => drop(io::stderr().lock().write_all(line.as_bytes())),
        }
    }

    /// Gives the last lines some time to be written.
    pub fn finish(&self) {
        if let Some(queue) = &self.queue {
            queue.flush(MAX_WAIT);
        }
    }
}

/// Filter from `RUST_LOG`, or else of this level. The text is the reason if `RUST_LOG` is invalid and ignored.
fn filter(level: LevelFilter) -> (EnvFilter, Option<String>) {
    let builder = || EnvFilter::builder().with_default_directive(level.into());
    match builder().from_env() {
        Ok(filter) => (with_own_level(filter, level), None),
        Err(error) => (EnvFilter::default().add_directive(level.into()), Some(error.to_string())),
    }
}

/// Target of the program's own lines.
const OWN_TARGET: &str = "pagerduty_dora";

/// Adds the level of the program's own lines, if the filter has neither that nor a level for all lines. A misspelt level
/// in `RUST_LOG` counts as the name of another target, and must not silence the program.
fn with_own_level(filter: EnvFilter, level: LevelFilter) -> EnvFilter {
    let directives = filter.to_string();
    let is_own = |directive: &str| {
        directive.parse::<LevelFilter>().is_ok() || directive.trim_start_matches('[').starts_with(OWN_TARGET)
    };
    match format!("{OWN_TARGET}={level}").parse() {
        Ok(own) if !directives.split(',').any(is_own) => filter.add_directive(own),
        _ => filter,
    }
}

/// Look of the lines.
#[derive(Clone, Copy)]
struct Look {
    is_json: bool,
    color: bool,
    has_priorities: bool,
}

fn lines(queue: Option<LogQueue>, filter: EnvFilter, look: Look) -> BoxedLayer {
    match queue {
        Some(queue) => layer_to(move || queue.clone(), filter, look),
        None => layer_to(Stderr, filter, look),
    }
}

fn layer_to<W>(writer: W, filter: EnvFilter, look: Look) -> BoxedLayer
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Otherwise a failed write would be reported on standard error, which may panic or block.
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    let has_priorities = look.has_priorities;
    if look.is_json {
        let lines = lines.json().flatten_event(true).with_target(false);
        lines.map_event_format(|format| WithPriority { has_priorities, format }).and_then(filter).boxed()
    } else {
        let lines = lines.with_target(false).with_ansi(look.color && io::stderr().is_terminal());
        lines.map_event_format(|format| WithPriority { has_priorities, format }).and_then(filter).boxed()
    }
}

/// `true` if standard error is the journal's stream.
fn is_journal() -> bool {
    let stderr = rustix::fs::fstat(io::stderr()).ok().map(|stream| (stream.st_dev, stream.st_ino));
    stderr.is_some() && stderr == journal_stream()
}

/// Writes the priority before each line, so that `journalctl -p warning` finds the warnings.
struct WithPriority<F> {
    has_priorities: bool,
    format: F,
}

impl<S, N, F> FormatEvent<S, N> for WithPriority<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.has_priorities {
            line.write_str(priority(*event.metadata().level()))?;
        }
        self.format.format_event(context, line, event)
    }
}

/// The priority of a level, as the journal reads it at the beginning of a line.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// Standard error. Failed writes are ignored.
struct Stderr;

impl MakeWriter<'_> for Stderr {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().lock().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_does_not_silence_the_program() {
        let directives = |rust_log: &str| {
            let mut directives: Vec<String> = with_own_level(EnvFilter::new(rust_log), LevelFilter::INFO)
                .to_string()
                .split(',')
                .map(str::to_owned)
                .collect();
            directives.sort();
            directives.join(" ")
        };
        assert_eq!(directives("warning"), "pagerduty_dora=info warning=trace");
        assert_eq!(directives("hyper=debug"), "hyper=debug pagerduty_dora=info");
        assert_eq!(directives("warn"), "warn");
        assert_eq!(directives("pagerduty_dora=debug"), "pagerduty_dora=debug");
    }
}
