//! Checks that the daemon can open or create the file of the store, and write to it.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::item::{Finding, Item};
use crate::clock::{Clock as _, SystemClock};
use crate::store::{Growth, NEARLY_FULL_BYTES, OpenError, Reader};

/// Folder that systemd makes for the packaged unit (`StateDirectory=`).
const STATE_FOLDER: &str = "/var/lib/pagerduty-dora";

/// Minimum free space for setting up the store.
const MIN_FREE_BYTES: u64 = 8 << 20;

/// Linux: `NAME_MAX`, and the greatest number of links in one path.
const LONGEST_NAME: usize = 255;
const MOST_LINKS: usize = 40;
/// Longest ending that SQLite adds to the file name: `-journal`, `-wal` or `-shm`.
const LONGEST_END: usize = "-journal".len();

/// Process that has the store open for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreHolder {
    /// No process.
    Nowhere,
    /// The daemon that answers at `admin.listen`.
    InOurDaemon,
    /// Another process.
    OtherProcess,
}

/// Checks the store and the free space. Writes nothing. `for_unit`: the daemon is started by the packaged unit of
/// systemd, which makes the folder of the store.
pub(super) fn check(path: &Path, holder: StoreHolder, for_unit: bool) -> Vec<Item> {
    if for_unit && path.parent().is_some_and(|folder| folder == Path::new(STATE_FOLDER) && !folder.exists()) {
        let state = format!("{} (systemd makes its folder, and the store will be created)", path.display());
        return vec![Item::new("store", Finding::Ok(state))];
    }
    let found = folder(path).and_then(|folder| {
        let state = state(path, holder)?;
        Ok((folder, state))
    });
    match found {
        Err(message) => vec![Item::new("store", Finding::Wrong(message))],
        Ok((folder, state)) => {
            let mut items = vec![Item::new("store", Finding::Ok(state))];
            items.extend(room(&folder).map(|finding| Item::new("store", finding)));
            items.extend(growth(path).map(|finding| Item::new("store", finding)));
            items
        }
    }
}

/// Follows links to the file of the store, which need not exist. SQLite puts its other files beside that file.
fn real_file(path: &Path) -> Result<PathBuf, String> {
    let mut real = path.to_owned();
    for _ in 0..MOST_LINKS {
        let shown = real.display();
        let bytes = real.as_os_str().as_bytes();
        let name = real.file_name().filter(|_| !bytes.ends_with(b"/") && !bytes.ends_with(b"/."));
        let Some(name) = name else {
            return Err(format!("{shown} ends like a folder and names no file: change store.path"));
        };
        if name.len() + LONGEST_END > LONGEST_NAME {
            return Err(format!(
                "the file name of {shown} is too long: SQLite adds up to {LONGEST_END} characters for its other files; \
                 change store.path"
            ));
        }
        match std::fs::read_link(&real) {
            Ok(target) => real = real.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(real),
        }
    }
    Err(format!("{} is a link that leads to itself: change store.path", path.display()))
}

/// Folder of the store and of the other files of SQLite. Checks that this user can write there.
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

/// Describes the store, or the reason why it cannot be used.
fn state(path: &Path, holder: StoreHolder) -> Result<String, String> {
    let shown = path.display();
    if path.is_dir() {
        return Err(format!("{shown} is a folder: store.path names a file"));
    }
    if holder == StoreHolder::OtherProcess {
        return Err(format!(
            "{shown} is in use by another process, and no pagerduty-dora answers at admin.listen: end that process, or \
             correct admin.listen"
        ));
    }
    let real = real_file(path)?;
    for file in ["", "-wal", "-shm", "-journal"].map(|end| with_end(&real, end)) {
        if file.exists() && !file.is_file() {
            return Err(format!(
                "{} is not an ordinary file: remove it, or change store.path",
                file.display()
            ));
        }
        if file.exists() && access(&file, Access::READ_OK | Access::WRITE_OK).is_err() {
            return Err(format!("this user cannot write to {}", file.display()));
        }
    }
    match Reader::open(path) {
        Ok(_) if holder == StoreHolder::InOurDaemon => {
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

/// Finding about the free space. `None` if there is enough.
fn room(folder: &Path) -> Option<Finding> {
    let shown = folder.display();
    let disk = match statvfs(folder) {
        Ok(disk) => disk,
        Err(error) => return Some(Finding::Warn(format!("the free space of {shown} is not known: {error}"))),
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let message = format!("only {} MiB are free in {shown}", free >> 20);
    match free {
        ..MIN_FREE_BYTES => Some(Finding::Wrong(format!("{message}: free some space before the start"))),
        MIN_FREE_BYTES..NEARLY_FULL_BYTES => Some(Finding::Warn(message)),
        _ => None,
    }
}

/// Growth of the store in a month. `None` if it is too young for an estimate.
fn growth(path: &Path) -> Option<Finding> {
    // Errors are the item of the store itself.
    let Growth { events, bytes } = Reader::open(path).ok()?.growth(SystemClock.now()).ok()??;
    let mebibytes = bytes.div_ceil(1 << 20);
    Some(Finding::Ok(format!(
        "grows by about {mebibytes} MiB a month ({events} events, at the rate of the last 30 days), and more slowly once the \
         first bodies are older than store.retention"
    )))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_that_cannot_hold_a_store_is_wrong() {
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
            assert!(
                matches!(
                    check(&at(name), StoreHolder::Nowhere, false)[..],
                    [Item { finding: Finding::Wrong(_), .. }]
                ),
                "{name}"
            );
        }
        for device in ["/dev/null", "/dev/full"] {
            assert!(
                matches!(
                    check(Path::new(device), StoreHolder::Nowhere, false)[..],
                    [Item { finding: Finding::Wrong(_), .. }]
                ),
                "{device}"
            );
        }
        symlink("target.db", at("link")).unwrap();
        for name in ["new.db", "link", &letters(247)] {
            let items = check(&at(name), StoreHolder::Nowhere, false);
            assert!(matches!(items.first(), Some(Item { finding: Finding::Ok(_), .. })), "{name}");
        }
    }
}
