//! Problems with a configuration: the file, the line, the key, and what is wrong.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::domain::address::text_without_credentials;

/// Mistake in the configuration, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    file: Option<PathBuf>,
    line: Option<usize>,
    key: Option<String>,
    message: String,
}

impl std::error::Error for Problem {}

impl Problem {
    /// The file cannot be read.
    pub(crate) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        let message = format!("cannot be read: {error}");
        Self { file: Some(file.to_owned()), line: None, key: None, message }
    }

    /// Adds to the message which setting names this file.
    pub(super) fn named_by(mut self, what: &str) -> Self {
        self.message = format!("{} ({what} names this file)", self.message);
        self
    }

    /// Mistake at this line of another file that the configuration names.
    pub(crate) fn at_line(file: &Path, line: Option<u64>, message: String) -> Self {
        let line = line.and_then(|line| usize::try_from(line).ok());
        Self { file: Some(file.to_owned()), line, key: None, message }
    }

    /// Mistake in the value of a key. Its line is found later.
    pub fn with_key(key: &str, message: impl fmt::Display) -> Self {
        Self { file: None, line: None, key: Some(key.to_owned()), message: message.to_string() }
    }

    /// Mistake at this line (from 1) of the configuration itself.
    pub(super) fn at(line: usize, key: Option<String>, message: impl fmt::Display) -> Self {
        Self { file: None, line: Some(line), key, message: message.to_string().trim_end().to_owned() }
    }

    /// Line, for sorting.
    fn place(&self) -> Option<usize> {
        self.line
    }

    /// Adds the file, and the line that `line_of` finds for the key. A problem that has a file stays unchanged.
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
        // Many messages repeat a value, and a value may be an address with credentials.
        f.write_str(&text_without_credentials(&self.message))
    }
}

/// All mistakes that were found in a configuration, at least one. Each is shown in a line of its own, at most fifty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// Number of mistakes after which the search ends. After each mistake the whole text is read again, which takes time.
pub(super) const MOST_MISTAKES: usize = 500;
/// Greatest number of mistakes that are shown.
const MOST_SHOWN: usize = 50;

impl std::error::Error for Problems {}

impl Problems {
    /// Problems in the order of the file. `None` if there are none.
    pub(crate) fn of(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by_key(Problem::place);
        problems.dedup();
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// Problems in the order of the file. The caller gives at least one.
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
