//! The store: whether the daemon could open it, create it, and write to it.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::{Finding, Item};
use crate::config::Config;
use crate::store::{LITTLE_ROOM_BYTES, OpenError, Reader};

/// With less room the store cannot even be set up.
const NO_ROOM_BYTES: u64 = 8 << 20;

/// Process that has the store open for writing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// In no process.
    Nowhere,
    /// In the daemon that answers at `admin.listen`.
    InOurDaemon,
    /// In another process.
    Elsewhere,
}

/// Looks, and writes nothing.
pub(super) fn check(config: &Config, is_open: Open) -> Vec<Item> {
    let path = &config.store.path;
    let found = folder(path).and_then(|folder| {
        let state = state(config, is_open)?;
        Ok((folder, state))
    });
    match found {
        Err(said) => vec![Item::new("store", Finding::Wrong(said))],
        Ok((folder, state)) => {
            let mut items = vec![Item::new("store", Finding::Ok(state))];
            items.extend(room(&folder).map(|finding| Item::new("store", finding)));
            items
        }
    }
}

/// The folder that SQLite keeps its files in, beside the store.
fn folder(path: &Path) -> Result<PathBuf, String> {
    // The files stand beside the real one where the store is a link.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = match real.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let shown = folder.display();
    if !folder.exists() {
        return Err(format!("the folder {shown} does not exist: create it, or change store.path"));
    }
    if !folder.is_dir() {
        return Err(format!("{shown} is not a folder: change store.path"));
    }
    access(&folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        format!("the folder {shown} cannot be written to by this user ({error}): SQLite creates files in it")
    })?;
    Ok(folder)
}

/// Describes the store that is there already.
fn state(config: &Config, is_open: Open) -> Result<String, String> {
    let path = &config.store.path;
    let shown = path.display();
    if path.is_dir() {
        return Err(format!("{shown} is a folder: store.path names a file"));
    }
    if is_open == Open::Elsewhere {
        return Err(format!(
            "{shown} is in use by another process, and none answers at admin.listen: end it, or correct the address"
        ));
    }
    for file in ["", "-wal", "-shm"].map(|end| with_end(path, end)) {
        if file.exists() && access(&file, Access::READ_OK | Access::WRITE_OK).is_err() {
            return Err(format!("this user cannot write to {}", file.display()));
        }
    }
    match Reader::open(path, config.dora.link_window.get()) {
        Ok(_) if is_open == Open::InOurDaemon => Ok(format!("{shown} (in use by a running pagerduty-dora)")),
        Ok(_) => Ok(shown.to_string()),
        Err(OpenError::Empty { .. }) => Ok(format!("{shown} (will be set up)")),
        Err(OpenError::Missing { .. }) => Ok(format!("{shown} (will be created)")),
        Err(error) => Err(error.to_string()),
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The room that is left, where it is little.
fn room(folder: &Path) -> Option<Finding> {
    let shown = folder.display();
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => return Some(Finding::Warn(format!("the free space of {shown} is not known: {error}"))),
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let said = format!("only {} MiB are free in {shown}", free >> 20);
    match free {
        ..NO_ROOM_BYTES => Some(Finding::Wrong(format!("{said}: make room before the start"))),
        NO_ROOM_BYTES..LITTLE_ROOM_BYTES => Some(Finding::Warn(said)),
        _ => None,
    }
}
