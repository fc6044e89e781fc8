//! Steps of a careless program: the recorded steps, with a mistake added.

use std::collections::HashSet;

use super::steps::{Action, Step};

/// Length of the WAL's header, which is synced separately.
const WAL_HEADER_BYTES: usize = 32;

/// The steps without the syncs of commits. The syncs of checkpoints stay.
pub(super) fn as_with_synchronous_normal(steps: &[Step]) -> Vec<Step> {
    let mut commits = Commits::default();
    steps.iter().filter(|step| !commits.is_end_of_one(step)).cloned().collect()
}

/// The steps with each acknowledgement moved before the first write of its commit.
pub(super) fn as_if_acknowledged_before_the_commit(steps: &[Step]) -> Vec<Step> {
    let mut commits = Commits::default();
    let mut careless: Vec<Step> = Vec::new();
    // Index where the commit under way begins, and where the last commit began.
    let (mut begun, mut last) = (None, 0);
    for step in steps {
        if matches!(step.action, Action::Acknowledge(_)) {
            careless.insert(last, step.clone());
            begun = begun.map(|begun| begun + 1);
            continue;
        }
        if commits.is_end_of_one(step) {
            last = begun.take().unwrap_or(careless.len());
        } else if begun.is_none() && commits.is_under_way() {
            begun = Some(careless.len());
        }
        careless.push(step.clone());
    }
    careless
}

/// The steps without the syncs of checkpoints, from the first acknowledgement on. So the WAL is restarted before its
/// content is safe in the database file.
pub(super) fn as_if_checkpoints_did_not_sync(steps: &[Step]) -> Vec<Step> {
    let first_promise = steps.iter().position(|step| matches!(step.action, Action::Acknowledge(_)));
    let (before, after) = steps.split_at(first_promise.unwrap());
    let is_of_the_database =
        |step: &&Step| matches!(&step.action, Action::Sync { file, .. } if file.ends_with(".db"));
    before.iter().chain(after.iter().filter(|step| !is_of_the_database(step))).cloned().collect()
}

/// Distinguishes the syncs of commits from those of checkpoints and of the WAL's header. A sync of the WAL ends a
/// commit if its thread has just written to the WAL.
#[derive(Default)]
struct Commits {
    writing: HashSet<u32>,
}

impl Commits {
    fn is_end_of_one(&mut self, Step { thread, action, .. }: &Step) -> bool {
        match action {
            Action::Write { file, offset, .. } if file.ends_with("-wal") && *offset >= WAL_HEADER_BYTES => {
                self.writing.insert(*thread);
                false
            }
            Action::Sync { file, .. } if file.ends_with("-wal") => self.writing.remove(thread),
            _ => false,
        }
    }

    fn is_under_way(&self) -> bool {
        !self.writing.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: usize) -> Action {
        Action::Write { file: "a.db-wal".into(), offset, bytes: [0; 1].into() }
    }

    fn sync() -> Action {
        Action::Sync { file: "a.db-wal".into(), entered: 0 }
    }

    fn acknowledge() -> Action {
        Action::Acknowledge([0; 1].into())
    }

    /// One letter for each step: Header, Frame, Sync, Acknowledgement.
    fn shown(steps: &[Step]) -> String {
        let letter = |step: &Step| match &step.action {
            Action::Write { offset: 0, .. } => 'H',
            Action::Write { .. } => 'F',
            Action::Sync { .. } => 'S',
            Action::Acknowledge(_) => 'A',
            other => panic!("{other:?}"),
        };
        steps.iter().map(letter).collect()
    }

    /// Commits of thread 1. The first begins a new WAL; the second is acknowledged while the third is under way. In
    /// between, thread 2 syncs for a checkpoint.
    fn steps() -> Vec<Step> {
        let by_1 = [write(0), sync(), write(32), write(56), sync(), acknowledge()];
        let then = [write(99), sync(), write(200), acknowledge(), sync(), acknowledge()];
        let step = |thread| move |action| Step { thread, at: 0, action };
        let mut steps: Vec<Step> = by_1.into_iter().map(step(1)).collect();
        steps.push(step(2)(sync()));
        steps.extend(then.into_iter().map(step(1)));
        assert_eq!(shown(&steps), "HSFFSASFSFASA");
        steps
    }

    #[test]
    fn synchronous_normal_leaves_out_only_the_syncs_of_commits() {
        assert_eq!(shown(&as_with_synchronous_normal(&steps())), "HSFFASFFAA");
    }

    #[test]
    fn an_early_acknowledgement_comes_before_the_writes_of_its_commit() {
        assert_eq!(shown(&as_if_acknowledged_before_the_commit(&steps())), "HSAFFSSAFSAFS");
    }
}
