//! What is wrong with a configuration: the file, the line, the key, and what is allowed.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A mistake, told so that it can be mended.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    file: Option<PathBuf>,
    line: Option<usize>,
    key: Option<String>,
    said: String,
}

impl std::error::Error for Problem {}

impl Problem {
    /// The file could not be read at all.
    pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        let said = format!("cannot be read: {error}");
        Self { file: Some(file.to_owned()), line: None, key: None, said }
    }

    /// A value is there and wrong for what it is used for: the key is known, its line is not looked for.
    pub fn with_key(key: &str, said: impl fmt::Display) -> Self {
        Self { file: None, line: None, key: Some(key.to_owned()), said: said.to_string() }
    }

    /// What the TOML parser or one of our own values refused.
    pub(super) fn from_toml(error: &toml::de::Error, text: &str) -> Self {
        match error.span() {
            Some(span) => Self::at(text, span, error.message()),
            None => Self { file: None, line: None, key: None, said: error.message().to_owned() },
        }
    }

    /// Something at these bytes of the text.
    pub(super) fn at(text: &str, span: Range<usize>, said: &str) -> Self {
        let before = &text[..span.start.min(text.len())];
        let line = before.matches('\n').count();
        let key = key_at(text, line);
        Self { file: None, line: Some(line + 1), key, said: said.trim_end().to_owned() }
    }

    /// The same, in this file.
    #[must_use]
    pub fn in_file(self, file: &Path) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }
}

/// The dotted key that the line (from 0) sets, found by its own text and the last table header above it.
fn key_at(text: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(line + 1).collect();
    let header = |line: &&str| {
        let inner = line.trim().strip_prefix('[')?.split(']').next()?;
        Some(inner.trim_start_matches('[').trim().to_owned())
    };
    let current = lines.last()?;
    if let Some(table) = header(current) {
        return Some(table);
    }
    let key = current.split_once('=')?.0.trim();
    match lines.iter().rev().find_map(header) {
        Some(table) => Some(format!("{table}.{key}")),
        None => Some(key.to_owned()),
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
        f.write_str(&self.said)
    }
}
