//! Refusal of paths that are no files.

use std::io;
use std::path::Path;

/// Checks that a path is a file. Called before it is opened: opening a pipe without a writer blocks for ever.
///
/// # Errors
/// The path is a folder, a pipe or a device, or the system cannot tell.
pub(crate) fn check_regular_file(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path)?.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a folder, a pipe or a device, not a file"))
}
