//! Problem with a configuration: the file, the line, the key, and the values that are allowed.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::domain::address::text_without_credentials;

/// A mistake, told so that it can be mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    file: Option<PathBuf>,
    line: Option<usize>,
    key: Option<String>,
    said: String,
}

impl std::error::Error for Problem {}

impl Problem {
    /// The file could not be read at all.
    pub(crate) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        let said = format!("cannot be read: {error}");
        Self { file: Some(file.to_owned()), line: None, key: None, said }
    }

    /// The same, with what named the file.
    pub(super) fn named_by(mut self, what: &str) -> Self {
        self.said = format!("{} ({what} names this file)", self.said);
        self
    }

    /// Something at this line of another file that the configuration names.
    pub(crate) fn at_line(file: &Path, line: Option<u64>, said: String) -> Self {
        let line = line.and_then(|line| usize::try_from(line).ok());
        Self { file: Some(file.to_owned()), line, key: None, said }
    }

    /// A value is there and wrong for what it is used for: the key is known, its line is still to be looked for.
    pub fn with_key(key: &str, said: impl fmt::Display) -> Self {
        Self { file: None, line: None, key: Some(key.to_owned()), said: said.to_string() }
    }

    /// Something at this line (from 1) of the configuration itself.
    pub(super) fn at(line: usize, key: Option<String>, said: impl fmt::Display) -> Self {
        Self { file: None, line: Some(line), key, said: said.to_string().trim_end().to_owned() }
    }

    /// Place in the file, for sorting.
    fn place(&self) -> Option<usize> {
        self.line
    }

    /// The same, in this file, where `line_of` finds the line of a key; unless it is known to be in another.
    #[must_use]
    pub(super) fn in_file(self, file: Option<&Path>, line_of: impl FnOnce(&str) -> Option<usize>) -> Self {
        if self.file.is_some() {
            return self;
        }
        let line = self.line.or_else(|| line_of(self.key.as_deref()?));
        Self { file: file.map(Path::to_owned), line, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        } else if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        // Many repeat a value, and a value may be an address.
        f.write_str(&text_without_credentials(&self.said))
    }
}

/// All that is wrong with a configuration, as far as it could be read. At least one mistake; shown one a line, the first
/// fifty of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// Number of mistakes after which the search ends: each further one takes as long as reading the whole text.
pub(super) const MOST_MISTAKES: usize = 500;
/// Number of mistakes that are shown at most.
const MOST_SHOWN: usize = 50;

impl std::error::Error for Problems {}

impl Problems {
    /// All of them, in the order of the file; `None`: there are none.
    pub(crate) fn of(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by_key(Problem::place);
        problems.dedup();
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// All of them, in the order of the file. There is at least one.
    pub(crate) fn from_all(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(Problem::place);
        problems.dedup();
        Self(problems)
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(MOST_SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        let at_least = if self.0.len() < MOST_MISTAKES { "" } else { "at least " };
        match self.0.len().saturating_sub(MOST_SHOWN) {
            0 => Ok(()),
            1 => f.write_str("\n… 1 further mistake is not shown"),
            n => write!(f, "\n… {at_least}{n} further mistakes are not shown"),
        }
    }
}
