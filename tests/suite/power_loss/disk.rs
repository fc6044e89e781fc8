//! A disk as SQLite may find it after a power loss: synced data is there, other data may be there, missing or torn.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;

use super::steps::{Action, Step};

/// Number of bytes that a disk writes as one unit.
const SECTOR: usize = 512;
/// Number of bytes that the operating system writes as one unit.
const PAGE: usize = 4_096;

/// The files of a folder, by name.
pub(super) type Files = BTreeMap<Arc<str>, Vec<u8>>;

/// Fate of the changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// All of them reached the disk.
    Kept,
    /// None of them did.
    Dropped,
    /// All of them did, but the last write only in parts.
    TornAtTheEnd,
    /// Some did, some did not, and some only in parts.
    Mixed,
}

/// A folder: its state in the running system, and the synced part of it.
#[derive(Default)]
pub(super) struct Disk {
    inodes: Vec<Inode>,
    /// Names that are certainly on the disk, with their inodes.
    names: BTreeMap<Arc<str>, usize>,
    /// Changes of names that may be on the disk, with their times.
    renamed: Vec<(usize, Name)>,
    /// The names that the running system sees.
    present: BTreeMap<Arc<str>, usize>,
}

#[derive(Default)]
struct Inode {
    synced: Vec<u8>,
    /// Changes that may be on the disk, with their times.
    unsynced: Vec<(usize, Change)>,
}

enum Change {
    Write { offset: usize, bytes: Arc<[u8]> },
    Truncate(usize),
}

enum Name {
    Created(Arc<str>, usize),
    Removed(Arc<str>),
}

impl Disk {
    /// Applies a step.
    pub(super) fn apply(&mut self, Step { at, action, .. }: &Step) {
        match action {
            Action::Create(file) => {
                self.renamed.push((*at, Name::Created(Arc::clone(file), self.inodes.len())));
                self.present.insert(Arc::clone(file), self.inodes.len());
                self.inodes.push(Inode::default());
            }
            Action::Remove(file) => {
                self.renamed.push((*at, Name::Removed(Arc::clone(file))));
                self.present.remove(file);
            }
            Action::Write { file, offset, bytes } => {
                let change = Change::Write { offset: *offset, bytes: Arc::clone(bytes) };
                self.inode(file).unsynced.push((*at, change));
            }
            Action::Truncate { file, length } => {
                self.inode(file).unsynced.push((*at, Change::Truncate(*length)));
            }
            Action::Sync { file, entered } => {
                let inode = self.inode(file);
                for (_, change) in inode.unsynced.extract_if(.., |(at, _)| *at < *entered) {
                    change.apply(&mut inode.synced);
                }
            }
            Action::SyncFolder { entered } => {
                for (_, name) in self.renamed.extract_if(.., |(at, _)| *at < *entered) {
                    name.apply(&mut self.names);
                }
            }
            Action::Acknowledge(_) | Action::Tell(_) => {}
        }
    }

    fn inode(&mut self, file: &str) -> &mut Inode {
        let inode = *self.present.get(file).unwrap_or_else(|| panic!("{file} was never created"));
        &mut self.inodes[inode]
    }

    /// `true` if any change is not synced.
    pub(super) fn is_in_doubt(&self) -> bool {
        !self.renamed.is_empty()
            || self.present.values().any(|inode| !self.inodes[*inode].unsynced.is_empty())
    }

    /// The files that are found when the power is back.
    pub(super) fn after_power_loss(&self, fate: Fate, rng: &mut Rng) -> Files {
        let mut dice = Dice::new(fate, rng);
        let mut names = self.names.clone();
        for (_, name) in &self.renamed {
            if dice.keeps_name() {
                name.apply(&mut names);
            }
        }
        let last = self.inodes.iter().filter_map(|inode| inode.unsynced.last()).map(|(at, _)| *at).max();
        let mut content = |inode: usize| {
            let Inode { synced, unsynced } = &self.inodes[inode];
            let mut content = synced.clone();
            for (at, change) in unsynced {
                dice.throw(change, Some(*at) == last, &mut content);
            }
            content
        };
        names.into_iter().map(|(name, inode)| (name, content(inode))).collect()
    }
}

impl Name {
    fn apply(&self, names: &mut BTreeMap<Arc<str>, usize>) {
        match self {
            Self::Created(file, inode) => names.insert(Arc::clone(file), *inode),
            Self::Removed(file) => names.remove(file),
        };
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                grow(content, offset + bytes.len());
                content[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Self::Truncate(length) => content.resize(*length, 0),
        }
    }

    /// Applies only some pieces of a write, which is cut at multiples of `unit`.
    fn apply_torn(&self, unit: usize, mut is_kept: impl FnMut(usize) -> bool, content: &mut Vec<u8>) {
        let Self::Write { offset, bytes } = self else {
            return;
        };
        let (mut start, mut piece) = (0, 0);
        while start < bytes.len() {
            let end = bytes.len().min(((offset + start) / unit + 1) * unit - offset);
            if is_kept(piece) {
                grow(content, offset + end);
                content[offset + start..offset + end].copy_from_slice(&bytes[start..end]);
            }
            start = end;
            piece += 1;
        }
    }

    /// Applies only the new length of the file.
    fn apply_length(&self, content: &mut Vec<u8>) {
        if let Self::Write { offset, bytes } = self {
            grow(content, offset + bytes.len());
        }
    }
}

fn grow(content: &mut Vec<u8>, length: usize) {
    // `resize` would be slow in builds without optimization.
    content.extend_from_slice(&vec![0; length.saturating_sub(content.len())]);
}

/// Decides a fate, change by change.
struct Dice<'a> {
    fate: Fate,
    rng: &'a mut Rng,
    /// Probability in a mixed fate that a change is kept whole.
    whole: f64,
    /// Probability in a mixed fate that a change is kept whole or in parts.
    not_lost: f64,
}

impl<'a> Dice<'a> {
    fn new(fate: Fate, rng: &'a mut Rng) -> Self {
        // Both a nearly complete disk and a nearly empty one may show faults.
        let whole = [0.05, 0.5, 0.9][rng.usize(..3)];
        Self { fate, rng, whole, not_lost: whole + (1.0 - whole) / 2.0 }
    }

    fn keeps_name(&mut self) -> bool {
        match self.fate {
            Fate::Kept | Fate::TornAtTheEnd => true,
            Fate::Dropped => false,
            Fate::Mixed => self.rng.f64() < self.whole,
        }
    }

    fn throw(&mut self, change: &Change, is_last: bool, content: &mut Vec<u8>) {
        match self.fate {
            Fate::Dropped => {}
            Fate::TornAtTheEnd if is_last => tear(self.rng, change, content),
            Fate::Kept | Fate::TornAtTheEnd => change.apply(content),
            Fate::Mixed => {
                let thrown = self.rng.f64();
                if thrown < self.whole {
                    change.apply(content);
                } else if thrown < self.not_lost {
                    tear(self.rng, change, content);
                }
            }
        }
    }
}

/// Applies only the beginning of a change, only its end, random parts, or only the length.
fn tear(rng: &mut Rng, change: &Change, content: &mut Vec<u8>) {
    let unit = if rng.bool() { SECTOR } else { PAGE };
    let middle = rng.usize(1..=2 * PAGE / unit);
    match rng.u8(..4) {
        0 => change.apply_torn(unit, |piece| piece < middle, content),
        1 => change.apply_torn(unit, |piece| piece >= middle, content),
        2 => change.apply_torn(unit, |_| rng.bool(), content),
        _ => change.apply_length(content),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn name() -> Arc<str> {
        "a.db-wal".into()
    }

    fn write(offset: usize, bytes: &[u8]) -> Action {
        Action::Write { file: name(), offset, bytes: bytes.into() }
    }

    /// A disk after these actions.
    fn disk(actions: impl IntoIterator<Item = Action>) -> Disk {
        let mut disk = Disk::default();
        for (at, action) in actions.into_iter().enumerate() {
            disk.apply(&Step { thread: 1, at, action });
        }
        disk
    }

    fn found(disk: &Disk, fate: Fate) -> Option<Vec<u8>> {
        disk.after_power_loss(fate, &mut Rng::with_seed(1)).remove("a.db-wal")
    }

    /// Contents of the file in 400 random cases.
    fn looks(disk: &Disk, fate: Fate) -> BTreeSet<Vec<u8>> {
        let mut rng = Rng::with_seed(1);
        (0..400).map(|_| disk.after_power_loss(fate, &mut rng).remove("a.db-wal").unwrap()).collect()
    }

    #[test]
    fn a_sync_keeps_the_writes_before_its_start() {
        let sync = Action::Sync { file: name(), entered: 2 };
        let folder = Action::SyncFolder { entered: 4 };
        let disk = disk([Action::Create(name()), write(0, b"one"), write(3, b"two"), sync, folder]);
        assert_eq!(found(&disk, Fate::Dropped).unwrap(), b"one");
        assert_eq!(found(&disk, Fate::Kept).unwrap(), b"onetwo");
    }

    #[test]
    fn a_file_whose_folder_was_not_synced_may_be_missing() {
        let sync = Action::Sync { file: name(), entered: 2 };
        let disk = disk([Action::Create(name()), write(0, b"one"), sync]);
        assert_eq!(found(&disk, Fate::Dropped), None);
        assert_eq!(found(&disk, Fate::Kept).unwrap(), b"one");
    }

    #[test]
    fn a_removal_that_was_not_synced_may_be_undone() {
        let folder = Action::SyncFolder { entered: 1 };
        let create_again = [Action::Remove(name()), Action::Create(name()), write(0, b"new")];
        let disk = disk([Action::Create(name()), folder].into_iter().chain(create_again));
        assert_eq!(found(&disk, Fate::Dropped).unwrap(), b"", "the first file is back");
        assert_eq!(found(&disk, Fate::Kept).unwrap(), b"new");
    }

    #[test]
    fn a_truncation_may_be_lost_like_other_changes() {
        let (sync, folder) = (Action::Sync { file: name(), entered: 2 }, Action::SyncFolder { entered: 2 });
        let truncate = Action::Truncate { file: name(), length: 1 };
        let disk = disk([Action::Create(name()), write(0, b"one"), sync, folder, truncate]);
        assert_eq!(found(&disk, Fate::Dropped).unwrap(), b"one");
        assert_eq!(found(&disk, Fate::Kept).unwrap(), b"o");
    }

    #[test]
    fn the_last_write_is_torn_where_sectors_end_and_the_others_are_whole() {
        let disk = disk([Action::Create(name()), write(0, &[1; 700]), write(700, &[2; 1_000])]);
        let looks = looks(&disk, Fate::TornAtTheEnd);
        for found in &looks {
            assert!(found[..700].iter().all(|byte| *byte == 1));
            for sector in [700..1_024, 1_024..1_536, 1_536..1_700] {
                let piece: BTreeSet<u8> = found.iter().copied().take(sector.end).skip(sector.start).collect();
                assert!(piece.len() <= 1, "half a sector");
            }
        }
        assert!(looks.len() >= 8, "{} ways to be torn", looks.len());
    }

    #[test]
    fn a_mixed_fate_never_touches_what_was_synced() {
        let (sync, folder) = (Action::Sync { file: name(), entered: 2 }, Action::SyncFolder { entered: 2 });
        let disk = disk([
            Action::Create(name()),
            write(0, b"one"),
            sync,
            folder,
            write(3, b"two"),
            write(6, b"six"),
        ]);
        let looks = looks(&disk, Fate::Mixed);
        assert!(looks.iter().all(|look| look.starts_with(b"one")));
        assert!(looks.contains(b"one".as_slice()) && looks.contains(b"onetwosix".as_slice()));
        assert!(looks.contains(b"one\0\0\0six".as_slice()), "a later write without the one before it");
    }
}
