//! Text of the configuration, which gives the line and the key of a place.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::Problem;

/// Text that a configuration was read from. It may hold secrets, so it is never shown as a whole.
#[derive(Clone, Default)]
pub(super) struct SourceMap(String);

/// Key that is set: its dotted path, its place and the place of its value.
struct SetKey {
    path: String,
    key: Range<usize>,
    value: Range<usize>,
}

impl SourceMap {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Mistake at these bytes.
    pub(super) fn problem(&self, span: Range<usize>, message: impl fmt::Display) -> Problem {
        Problem::at(self.line(span.start), self.key_at(span.start), message)
    }

    /// Line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.0.as_bytes().iter().take(at);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    /// Line of the first place where a dotted key is set.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        self.keys().into_iter().find(|set| set.path == key).map(|set| self.line(set.key.start))
    }

    /// Innermost dotted key that a byte belongs to.
    pub(super) fn key_at(&self, at: usize) -> Option<String> {
        let holds = |span: &Range<usize>| span.start <= at && at < span.end.max(span.start + 1);
        let width = |set: &SetKey| {
            [&set.key, &set.value].into_iter().filter(|span| holds(span)).map(ExactSizeIterator::len).min()
        };
        let inner = self.keys().into_iter().filter_map(|set| Some((width(&set)?, set.path)));
        // Of two with the same width, the deeper one comes later.
        inner.reduce(|best, next| if next.0 <= best.0 { next } else { best }).map(|(_, path)| path)
    }

    /// Text at these bytes.
    pub(super) fn slice(&self, span: Range<usize>) -> Option<&str> {
        self.0.get(span)
    }

    /// All keys that are set in the readable part of the text.
    fn keys(&self) -> Vec<SetKey> {
        let (tree, _) = DeTable::parse_recoverable(&self.0);
        let mut found = Vec::new();
        collect(tree.get_ref(), "", &mut found);
        found
    }
}

fn collect(table: &DeTable<'_>, above: &str, found: &mut Vec<SetKey>) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if above.is_empty() { name.to_string() } else { format!("{above}.{name}") };
        found.push(SetKey { path: path.clone(), key: key.span(), value: value.span() });
        match value.get_ref() {
            DeValue::Table(inner) => collect(inner, &path, found),
            DeValue::Array(items) => collect_items(items, &path, found),
            _ => {}
        }
    }
}

fn collect_items(items: &DeArray<'_>, path: &str, found: &mut Vec<SetKey>) {
    let tables = |item: &'_ Spanned<DeValue<'_>>| item.get_ref().is_table();
    for item in items.iter().filter(|item| tables(item)) {
        found.push(SetKey { path: path.to_owned(), key: item.span(), value: item.span() });
        if let DeValue::Table(inner) = item.get_ref() {
            collect(inner, path, found);
        }
    }
}

impl fmt::Debug for SourceMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_line_and_a_key() {
        let text = "[server]\nlisten = \"x\"\n\n[[rule]]\nname = \"a\"\ntitle = [\n  \"b\",\n]\n\
                    [failure.severity]\n\"P 1\" = \"c\"\n[[backend]]\napi_key = { env = \"D\" }\n";
        let lines = SourceMap::new(text);
        let place = |word: &str| {
            let at = text.find(word).unwrap();
            (lines.line(at), lines.key_at(at).unwrap_or_default())
        };
        assert_eq!(place("\"x\""), (2, "server.listen".to_owned()));
        assert_eq!(place("listen"), (2, "server.listen".to_owned()));
        assert_eq!(place("\"b\""), (7, "rule.title".to_owned()));
        assert_eq!(place("\"c\""), (10, "failure.severity.P 1".to_owned()));
        assert_eq!(place("\"D\""), (12, "backend.api_key.env".to_owned()));
        assert_eq!(lines.line_of("rule.title"), Some(6));
        assert_eq!(lines.line_of("rule.team"), None);
    }
}
