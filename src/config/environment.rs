//! Reads the environment for the configuration.

use std::ffi::OsString;
use std::path::PathBuf;

/// A variable, whatever bytes it holds; `None`: it is not set.
#[expect(clippy::disallowed_methods, reason = "this is config")]
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The configuration that `$PAGERDUTY_DORA_CONFIG` names. An empty variable names none, as if it were not set.
pub(super) fn configuration() -> Option<PathBuf> {
    variable("PAGERDUTY_DORA_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}
