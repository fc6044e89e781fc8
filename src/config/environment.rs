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

/// Name of the user at PostgreSQL, as PostgreSQL's own programs take it: `$PGUSER`, else that of this process (`$USER`).
/// `None` if neither is set.
pub fn postgres_user() -> Option<String> {
    let text = |name| variable(name)?.into_string().ok().filter(|name| !name.is_empty());
    text("PGUSER").or_else(|| text("USER"))
}

/// PostgreSQL's password file: `$PGPASSFILE`, else `~/.pgpass`. `None` if there is no home.
pub fn postgres_password_file() -> Option<PathBuf> {
    let path = |name| variable(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    path("PGPASSFILE").or_else(|| Some(path("HOME")?.join(".pgpass")))
}

/// Device and inode of the journal's stream, as systemd names them in `$JOURNAL_STREAM`. `None` if systemd did not
/// connect the program to the journal.
pub fn journal_stream() -> Option<(u64, u64)> {
    let value = variable("JOURNAL_STREAM")?.into_string().ok()?;
    let (device, inode) = value.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

/// Names of the sockets that systemd passes (`$LISTEN_FDNAMES`), in their order.
pub fn socket_names() -> Vec<String> {
    let names = variable("LISTEN_FDNAMES").and_then(|names| names.into_string().ok()).unwrap_or_default();
    names.split(':').map(str::to_owned).collect()
}
