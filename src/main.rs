//! The program. See `pagerduty-dora --help`, and `lib.rs` for the crate's map.

use std::process::ExitCode;

fn main() -> ExitCode {
    pagerduty_dora::cli::main()
}
