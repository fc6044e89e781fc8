//! The store: whether the daemon could open it, create it, and write to it.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::item::{Finding, Item};
use crate::config::Config;
use crate::store::{LITTLE_ROOM_BYTES, OpenError, Reader};

/// With less room the store cannot even be set up.
const NO_ROOM_BYTES: u64 = 8 << 20;

/// Linux: `NAME_MAX`, and the links that it follows on one path.
const LONGEST_NAME: usize = 255;
const MOST_LINKS: usize = 40;
/// SQLite: `-journal`, `-wal`, `-shm`.
const LONGEST_END: usize = "-journal".len();

/// Process that has the store open for writing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreHolder {
    /// In no process.
    Nowhere,
    /// In the daemon that answers at `admin.listen`.
    InOurDaemon,
    /// In another process.
    OtherProcess,
}

/// Looks, and writes nothing.
pub(super) fn check(config: &Config, is_open: StoreHolder) -> Vec<Item> {
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

/// The file that a path leads to, there or not. SQLite puts its other files beside that one.
fn real_file(path: &Path) -> Result<PathBuf, String> {
    let mut real = path.to_owned();
    for _ in 0..MOST_LINKS {
        let shown = real.display();
        let bytes = real.as_os_str().as_bytes();
        let name = real.file_name().filter(|_| !bytes.ends_with(b"/") && !bytes.ends_with(b"/."));
        let Some(name) = name else {
            return Err(format!("{shown} names no file, for it ends like a folder: change store.path"));
        };
        if name.len() + LONGEST_END > LONGEST_NAME {
            return Err(format!(
                "the file name of {shown} is too long: change store.path so that {LONGEST_END} more letters fit, for SQLite's \
                 files beside it"
            ));
        }
        match std::fs::read_link(&real) {
            Ok(target) => real = real.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(real),
        }
    }
    Err(format!("{} is a link that leads to itself: change store.path", path.display()))
}

/// The folder that SQLite keeps its files in, beside the store.
fn folder(path: &Path) -> Result<PathBuf, String> {
    let real = real_file(path)?;
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
fn state(config: &Config, is_open: StoreHolder) -> Result<String, String> {
    let path = &config.store.path;
    let shown = path.display();
    if path.is_dir() {
        return Err(format!("{shown} is a folder: store.path names a file"));
    }
    if is_open == StoreHolder::OtherProcess {
        return Err(format!(
            "{shown} is in use by another process, and none answers at admin.listen: end it, or correct the address"
        ));
    }
    let real = real_file(path)?;
    for file in ["", "-wal", "-shm", "-journal"].map(|end| with_end(&real, end)) {
        if file.exists() && !file.is_file() {
            return Err(format!(
                "{} is there and is no ordinary file: remove it, or change store.path",
                file.display()
            ));
        }
        if file.exists() && access(&file, Access::READ_OK | Access::WRITE_OK).is_err() {
            return Err(format!("this user cannot write to {}", file.display()));
        }
    }
    match Reader::open(path) {
        Ok(_) if is_open == StoreHolder::InOurDaemon => {
            Ok(format!("{shown} (in use by a running pagerduty-dora)"))
        }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_that_no_store_can_be_at_are_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("gone/store.db", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        std::fs::create_dir(at("store.db-wal")).unwrap();
        symlink(at("store.db"), at("linked")).unwrap();
        std::fs::write(at("file"), "").unwrap();
        let letters = |count| "x".repeat(count);
        for name in [
            "dangling",
            "circle",
            "store.db",
            "linked",
            "new/",
            "new/.",
            "file/",
            "..",
            &letters(300),
            &letters(250),
        ] {
            let mut config = Config::default();
            config.store.path = at(name);
            assert!(
                matches!(check(&config, StoreHolder::Nowhere)[..], [Item { finding: Finding::Wrong(_), .. }]),
                "{name}"
            );
        }
        for device in ["/dev/null", "/dev/full"] {
            let mut config = Config::default();
            config.store.path = device.into();
            assert!(
                matches!(check(&config, StoreHolder::Nowhere)[..], [Item { finding: Finding::Wrong(_), .. }]),
                "{device}"
            );
        }
        symlink("target.db", at("link")).unwrap();
        for name in ["new.db", "link", &letters(247)] {
            let mut config = Config::default();
            config.store.path = at(name);
            let items = check(&config, StoreHolder::Nowhere);
            assert!(matches!(items.first(), Some(Item { finding: Finding::Ok(_), .. })), "{name}");
        }
    }
}
