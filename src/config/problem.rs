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
    pub(crate) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        let said = format!("cannot be read: {error}");
        Self { file: Some(file.to_owned()), line: None, key: None, said }
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

    /// What the TOML parser or one of our own values refused.
    pub(super) fn from_toml(error: &toml::de::Error, text: &str) -> Self {
        match error.span() {
            Some(span) => Self::at(text, span, &without_value(error.message())),
            None => Self { file: None, line: None, key: None, said: without_value(error.message()) },
        }
    }

    /// Something at these bytes of the text.
    pub(super) fn at(text: &str, span: Range<usize>, said: &str) -> Self {
        let before = &text[..span.start.min(text.len())];
        let line = before.matches('\n').count();
        let key = key_at(text, line);
        Self { file: None, line: Some(line + 1), key, said: said.trim_end().to_owned() }
    }

    /// The same, in this file, whose text tells the line of a key; unless it is known to be in another.
    #[must_use]
    pub(super) fn in_file(self, file: &Path, text: &str) -> Self {
        if self.file.is_some() {
            return self;
        }
        let line_of = |key: &String| {
            let is_set_at = |line: &usize| key_at(text, *line).as_ref() == Some(key);
            (0..text.lines().count()).find(is_set_at).map(|line| line + 1)
        };
        let line = self.line.or_else(|| self.key.as_ref().and_then(line_of));
        Self { file: Some(file.to_owned()), line, ..self }
    }
}

/// What was refused may be a secret in the wrong place: its kind is told, not what it is.
fn without_value(message: &str) -> String {
    match message.split_once("string \"") {
        Some((before, rest)) => match rest.rsplit_once('"') {
            Some((_, after)) => format!("{before}string{after}"),
            None => format!("{before}string"),
        },
        None => message.to_owned(),
    }
}

/// The dotted key that is set at the line (from 0): the last one at or above it, under the last table's header.
fn key_at(text: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(line + 1).collect();
    let header = |line: &&str| {
        let inner = line.trim().strip_prefix('[')?.split(']').next()?;
        let name = inner.trim_start_matches('[').trim();
        is_bare(name).then(|| name.to_owned())
    };
    if let Some(table) = lines.last().and_then(header) {
        return Some(table);
    }
    let assigned =
        |line: &&str| line.split_once('=').map(|(key, _)| key.trim().to_owned()).filter(|key| is_bare(key));
    let key = lines.iter().rev().find_map(assigned)?;
    match lines.iter().rev().find_map(header) {
        Some(table) => Some(format!("{table}.{key}")),
        None => Some(key),
    }
}

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
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
