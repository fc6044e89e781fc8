//! Reads the environment for the configuration.

use std::ffi::OsString;
use std::path::PathBuf;

/// Value of a variable, which may be any bytes. `None` if it is not set.
#[expect(clippy::disallowed_methods, reason = "this is config")]
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Path in `$PAGERDUTY_DORA_CONFIG`. `None` if the variable is empty or not set.
pub(super) fn configuration() -> Option<PathBuf> {
    variable("PAGERDUTY_DORA_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}
