//! The program. See `pagerduty-dora --help`, and `lib.rs` for an overview of the crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    pagerduty_dora::cli::main()
}
