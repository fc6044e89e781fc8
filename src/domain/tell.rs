//! Telling backends again: what is to be told, and the rows of the outbox that came of it.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// Order to tell backends again, with the progress of the earlier steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TellOrder {
    /// Failures and deployments that ended then or later. Open failures, too, if a backend takes them.
    pub since: Timestamp,
    /// The only backend that is told. `None`: all.
    pub backend: Option<String>,
    /// The next step: [`TellStep::next`] of the one before.
    pub from: TellPlace,
    /// `true` if nothing is changed.
    pub is_dry_run: bool,
}

/// Begin of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellPlace {
    /// Its subjects.
    pub part: TellPart,
    /// Subjects after this time. `None`: all.
    pub at: Option<Timestamp>,
    /// Of those with this time, only the ones after this row.
    pub after: i64,
}

/// Subjects of a step, in the order of telling.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TellPart {
    /// Deployments, with their marks. They are first, because a mark needs its deployment.
    #[default]
    Deployments,
    /// Completed failures.
    Failures,
    /// Open failures.
    OpenFailures,
    /// Marks of older deployments, which these failures come from.
    Marks,
}

impl TellPart {
    /// All parts, in their order.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Word in queries.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The part after this one. `None` after the last.
    pub fn next(self) -> Option<Self> {
        let mut following = Self::ALL.iter().copied().skip_while(|part| *part != self);
        following.nth(1)
    }
}

/// Result of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TellStep {
    /// Each backend that was to be told.
    pub backends: Vec<ToldBackend>,
    /// Begin of the next step. `None` if this was the last one.
    pub next: Option<TellPlace>,
}

impl TellStep {
    /// Adds the rows of a later step.
    pub fn add(&mut self, later: Self) {
        for told in later.backends {
            match self.backends.iter_mut().find(|known| known.backend == told.backend) {
                Some(known) => known.rows.add(&told.rows),
                None => self.backends.push(told),
            }
        }
        self.next = later.next;
    }
}

/// A backend that was to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldBackend {
    /// Its name.
    pub backend: String,
    /// `true` if it is told nothing, because it counts a request once more each time it gets it.
    pub left_out: bool,
    /// Its rows.
    #[serde(flatten)]
    pub rows: ToldRows,
}

/// Numbers of rows of one backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldRows {
    /// Rows about failures.
    pub failures: ToldCounts,
    /// Rows about deployments.
    pub deployments: ToldCounts,
    /// Rows about marks of deployments.
    pub marks: ToldCounts,
}

impl ToldRows {
    fn add(&mut self, more: &Self) {
        self.failures += more.failures;
        self.deployments += more.deployments;
        self.marks += more.marks;
    }

    /// Numbers of rows of all kinds.
    pub fn total(&self) -> ToldCounts {
        let mut total = self.failures;
        total += self.deployments;
        total += self.marks;
        total
    }
}

/// Numbers of rows about one kind of subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldCounts {
    /// Rows with a request that was not in the outbox before.
    pub new: u64,
    /// Rows that send once more what the backend has accepted.
    pub again: u64,
    /// Rows that wait already.
    pub waiting: u64,
    /// Dead rows, which are left unchanged.
    pub dead: u64,
    /// Discarded rows, which are left unchanged.
    pub discarded: u64,
}

impl AddAssign for ToldCounts {
    fn add_assign(&mut self, more: Self) {
        self.new += more.new;
        self.again += more.again;
        self.waiting += more.waiting;
        self.dead += more.dead;
        self.discarded += more.discarded;
    }
}

/// Backends that are told again, with their rows so far.
pub type ToldBackends = BTreeMap<String, ToldRows>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_follow_each_other() {
        let mut parts = vec![TellPart::default()];
        while let Some(next) = parts.last().and_then(|part| part.next()) {
            parts.push(next);
        }
        assert_eq!(parts, TellPart::ALL);
    }

    #[test]
    fn steps_add_up_by_backend() {
        let step = |backend: &str, new, again| TellStep {
            backends: vec![ToldBackend {
                backend: backend.to_owned(),
                left_out: false,
                rows: ToldRows {
                    failures: ToldCounts { new, ..Default::default() },
                    marks: ToldCounts { again, ..Default::default() },
                    ..Default::default()
                },
            }],
            next: None,
        };
        let mut all = step("a", 1, 2);
        all.add(step("b", 5, 0));
        all.add(step("a", 10, 20));
        let totals = all.backends.iter().map(|told| (told.backend.as_str(), told.rows.total()));
        let counts = |new, again| ToldCounts { new, again, ..Default::default() };
        assert_eq!(totals.collect::<Vec<_>>(), [("a", counts(11, 22)), ("b", counts(5, 0))]);
    }
}
