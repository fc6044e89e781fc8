//! Splits a YAML stream into its documents, before any of them is parsed.
//!
//! YAML 1.2.2, 9.1: a line that is `---` or `...`, or begins with one of them and a blank, separates documents, even
//! within a text.

/// One document's text.
#[derive(Debug, PartialEq)]
pub(super) struct Document<'a> {
    /// The text, including the `---` line at its beginning, if it has one.
    pub(super) text: &'a str,
    /// Its first line in the file, from 1.
    pub(super) line: u64,
}

/// Splits a file at its `---` and `...` lines.
pub(super) fn split(text: &str) -> Vec<Document<'_>> {
    let text = text.trim_start_matches('\u{feff}');
    let mut documents = Vec::new();
    let (mut start, mut first_line, mut at, mut has_content) = (0, 1, 0, false);
    for (line, number) in text.split_inclusive('\n').zip(1_u64..) {
        if is_mark(line, "---") && has_content {
            documents.push(Document { text: &text[start..at], line: first_line });
            (start, first_line) = (at, number);
        }
        at += line.len();
        // Directives and comments belong to the document that they stand before.
        has_content |= !line.trim().is_empty() && !line.starts_with(['%', '#']);
        if is_mark(line, "...") {
            documents.push(Document { text: &text[start..at], line: first_line });
            (start, first_line, has_content) = (at, number + 1, false);
        }
    }
    documents.push(Document { text: &text[start..], line: first_line });
    documents
}

fn is_mark(line: &str, mark: &str) -> bool {
    line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_split_at_its_marks_only() {
        let lines = |text| split(text).into_iter().map(|d| (d.line, d.text.to_owned())).collect::<Vec<_>>();
        let expected = |documents: &[(u64, &str)]| -> Vec<(u64, String)> {
            documents.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
        };
        assert_eq!(
            lines("a: 1\n--- # x\nb: |\n  ---\n"),
            expected(&[(1, "a: 1\n"), (2, "--- # x\nb: |\n  ---\n")])
        );
        assert_eq!(
            lines("%YAML 1.2\n---\r\na\n...\nb"),
            expected(&[(1, "%YAML 1.2\n---\r\na\n...\n"), (5, "b")])
        );
        assert_eq!(lines("a: ---b\n---c: d\n"), expected(&[(1, "a: ---b\n---c: d\n")]));
        assert_eq!(lines(""), expected(&[(1, "")]));
    }
}
