//! Tests that need node: those of a browser, and of Datadog's own client.

use std::path::{Path, PathBuf};

/// Folder of the scripts and their packages.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node");

/// Path of a script.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Path of a program in `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// `true` if these programs and packages are installed. With `REQUIRE_ALL` the test fails if one is missing.
pub(crate) fn is_ready(programs: &[&str], packages: &[&str]) -> bool {
    let no_program = programs.iter().find(|name| program(name).is_none());
    let no_package = packages.iter().find(|name| !script("node_modules").join(name).is_dir());
    let Some(missing) = no_program.or(no_package) else { return true };
    assert!(std::env::var_os("REQUIRE_ALL").is_none(), "{missing} is missing");
    println!(
        "skipped: {missing} is missing (Debian's chromium, nodejs and openssl; `npm ci --prefix tests/node`)"
    );
    false
}
