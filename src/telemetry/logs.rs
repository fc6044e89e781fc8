//! Logs: lines to standard error, by `RUST_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging; `RUST_LOG` overrides `level`. Colour only on a terminal, and never with `NO_COLOR`.
pub fn start(level: LevelFilter, color: bool) {
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let to_terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(color && to_terminal);
    // A second call, as tests make it, changes nothing.
    let _ = lines.try_init();
}
