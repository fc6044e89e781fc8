//! Names that people write for the deployment that caused a failure, and the ways to read them.
//!
//! People write them into notes and custom fields in a hurry: in quotes, with a full stop or a comment after them. The
//! text is kept as it was written, because all of it may be the name. It is then read in every way that makes sense.

use super::address::text_without_credentials;
use super::name::{is_invisible, name};

const DEPLOYMENT: &str = "deployment";
/// Name that people write if no deployment is the cause.
const NONE: &str = "none";
/// Maximum length of a name that is kept, in characters. No version, commit or id is longer.
const LONGEST: usize = 200;
/// Maximum number of readings of a name. Each of them is looked up.
const MOST_READINGS: usize = 16;
/// Minimum number of digits that name a commit (git: `core.abbrev`).
const SHORTEST_COMMIT: usize = 7;

/// Finds the name in a note: the rest of the line after `deployment:` at the beginning of the note. `added` is a text
/// that the source puts before notes. Its letter case does not matter, and it may be there several times.
pub fn in_note(content: &str, added: &str) -> Option<String> {
    let mut rest = content.trim_start_matches(is_quote_or_blank);
    while let Some(after) = strip_prefix_ignoring_case(rest, added) {
        rest = after.trim_start_matches(is_quote_or_blank);
    }
    let rest = strip_prefix_ignoring_case(rest, DEPLOYMENT)?.trim_start_matches(is_blank_in_line);
    kept(rest.strip_prefix([':', '\u{ff1a}', '\u{fe55}'])?.lines().next()?)
}

/// The name as it is stored: the first line, without credentials, because a name may be the address of a build. `None`
/// if it is blank.
pub fn kept(text: &str) -> Option<String> {
    let line = name(text)?.lines().next().and_then(name)?;
    let line: String = text_without_credentials(line).chars().take(LONGEST).collect();
    name(&line.replace(|c: char| c.is_control(), " ")).map(str::to_owned)
}

/// Readings of a name. The first one is the text as it was written. Each further reading removes one more thing around
/// the name: brackets, a quotation mark or a full stop. They are removed one by one, because a version may end in one.
pub fn readings(written: &str) -> Vec<&str> {
    let mut readings = Vec::new();
    let mut reading = written.trim_matches(is_invisible);
    while !reading.is_empty() {
        // If there are too many readings, the newest replaces the one before it: the last is the most likely name.
        readings.truncate(MOST_READINGS - 1);
        readings.push(reading);
        let Some(less) = strip_once(reading) else { break };
        reading = less.trim_matches(is_invisible);
    }
    readings
}

/// `true` if a name says that no deployment is the cause.
pub fn is_none(written: &str) -> bool {
    readings(written).iter().any(|reading| reading.eq_ignore_ascii_case(NONE))
}

/// Key that is the same for versions that differ only in case or a leading `v`: `V1.2` and `1.2`.
pub fn version_key(version: &str) -> String {
    let lower = version.to_lowercase();
    let number = lower.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    number.map(str::to_owned).unwrap_or(lower)
}

/// `true` if a text can be the beginning of a commit sha.
pub fn is_short_commit(text: &str) -> bool {
    text.len() >= SHORTEST_COMMIT && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `true` if a text is this commit's sha, or a beginning of it that is long enough.
pub fn begins_commit(commit_sha: &str, text: &str) -> bool {
    is_short_commit(text)
        && commit_sha.get(..text.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(text))
}

fn is_quote_or_blank(c: char) -> bool {
    is_invisible(c) || is_quote(c)
}

fn is_blank_in_line(c: char) -> bool {
    is_invisible(c) && !matches!(c, '\n' | '\r')
}

/// `true` for quotation marks, and for the asterisks of emphasis.
fn is_quote(c: char) -> bool {
    matches!(c,
        '"' | '\'' | '`' | '*' | '\u{b4}' | '\u{ab}' | '\u{bb}' | '\u{2018}'..='\u{201f}'
        | '\u{2039}' | '\u{203a}' | '\u{300c}'..='\u{300f}' | '\u{ff02}' | '\u{ff07}')
}

/// `true` for punctuation at the end of a sentence or a part of it, including that of East Asia.
fn ends_sentence(c: char) -> bool {
    matches!(
        c,
        '.' | ','
            | ';'
            | '!'
            | '?'
            | ':'
            | '\u{2026}'
            | '\u{3001}'
            | '\u{3002}'
            | '\u{ff01}'
            | '\u{ff0c}'
            | '\u{ff0e}'
            | '\u{ff1a}'
            | '\u{ff1b}'
            | '\u{ff1f}'
            | '\u{ff61}'
    )
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Removes one thing around a text: quotation marks at both ends, punctuation at its end, brackets around all of it, a
/// comment in brackets at its end, or a quotation mark at one end. `None` if there is nothing to remove.
fn strip_once(text: &str) -> Option<&str> {
    let (first, last) = (text.chars().next()?, text.chars().next_back()?);
    let (without_first, without_last) = (&text[first.len_utf8()..], &text[..text.len() - last.len_utf8()]);
    match (is_quote(first), is_quote(last)) {
        (true, true) => Some(without_first.strip_suffix(last).unwrap_or_default()),
        _ if ends_sentence(last) => Some(without_last),
        (false, false) => without_brackets(text),
        (true, false) => without_brackets(text).or(Some(without_first)),
        (false, true) => Some(without_last),
    }
}

/// Removes the comment in brackets at the end of a text. If the brackets are around all of it, returns their content.
fn without_brackets(text: &str) -> Option<&str> {
    let (open, close) = match text.chars().next_back()? {
        ')' => ('(', ')'),
        ']' => ('[', ']'),
        _ => return None,
    };
    let mut depth = 0_usize;
    for (at, c) in text.char_indices().rev() {
        depth += usize::from(c == close);
        depth -= usize::from(c == open);
        if depth == 0 {
            let before = text[..at].trim_end_matches(is_invisible);
            return Some(if before.is_empty() { &text[at + 1..text.len() - 1] } else { before });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_names_the_deployment_after_its_prefix() {
        for (note, expected) in [
            ("deployment: 1.42.0", "1.42.0"),
            ("deployment:none\nsure of it", "none"),
            ("Deployment: 1.42.0", "1.42.0"),
            ("DEPLOYMENT : 1.42.0", "1.42.0"),
            ("\n deployment: 1.42.0", "1.42.0"),
            ("`deployment: 1.42.0`", "1.42.0`"),
            ("Resolution Note: deployment: 1.41.2", "1.41.2"),
            ("resolution note:deployment: 1.41.2", "1.41.2"),
            ("Resolution Note: Resolution Note: deployment: 1.41.2", "1.41.2"),
            ("Resolution Note: \ndeployment: 1.41.2\nthanks", "1.41.2"),
            ("\u{feff}deployment: 1.41.2", "1.41.2"),
            ("\u{200b}deployment\u{a0}:\u{200b}1.41.2", "1.41.2"),
            ("deployment\u{ff1a}1.41.2", "1.41.2"),
            ("**deployment:** 1.41.2", "** 1.41.2"),
            ("deployment: https://ci:S3CR3T@host/1", "https://host/1"),
        ] {
            assert_eq!(in_note(note, "resolution note:").as_deref(), Some(expected), "{note}");
        }
        for note in [
            "the deployment: 1.42.0",
            "deployment:",
            "deployment: \n1.42.0",
            "deployment: \u{a0}\u{200b}",
            "Deployment 1.42.0",
            "Resolution Note: rolled back to 1.41.2",
            "deployments: 1.42.0",
            "",
            "\u{1f525}",
        ] {
            assert_eq!(in_note(note, "resolution note:"), None, "{note}");
        }
    }

    #[test]
    fn quotes_brackets_and_comments_around_a_name_do_not_matter() {
        for written in [
            "1.41.2",
            "\"1.41.2\"",
            "'1.41.2'",
            "`1.41.2`",
            "\u{201c}1.41.2\u{201d}",
            "\u{201e}1.41.2\u{201c}",
            "\u{ab} 1.41.2 \u{bb}",
            "1.41.2.",
            "`1.41.2`.",
            "1.41.2 (rolled back)",
            "1.41.2 (rolled back (twice)).",
            "\"1.41.2\" [see the ticket]",
            "`1.41.2",
            "1.41.2 (a) (b)",
            "1.41.2\u{2026}",
            "1.41.2...",
            "1.41.2\u{3002}",
            "1.41.2?",
            "1.41.2:",
            "(1.41.2)",
            "[1.41.2]",
            "*1.41.2*",
            "**1.41.2**",
            "** 1.41.2",
            "[\"1.41.2\"]",
            "(\u{200b}1.41.2.)",
        ] {
            assert_eq!(readings(written).last(), Some(&"1.41.2"), "{written}");
        }
        assert_eq!(readings("1.0 (5)"), ["1.0 (5)", "1.0"], "all of it may be the name");
        assert_eq!(readings("(all of it)"), ["(all of it)", "all of it"]);
        assert_eq!(
            readings("\"release 7 (b).\"!"),
            ["\"release 7 (b).\"!", "\"release 7 (b).\"", "release 7 (b).", "release 7 (b)", "release 7"],
        );
        let many = "1.41.2".to_owned() + &".".repeat(150);
        assert_eq!((readings(&many).len(), readings(&many).last()), (MOST_READINGS, Some(&"1.41.2")));
        assert_eq!(readings("\""), ["\""]);
        assert_eq!(readings("\"\""), ["\"\""]);
        assert_eq!(readings(")("), [")("]);
        for written in ["none", "None", "\"none\".", "NONE (a config change)", "(none)", "none?"] {
            assert!(is_none(written), "{written}");
        }
        assert!(!is_none("none-1") && !is_none(""));
    }

    #[test]
    fn a_leading_v_is_removed_only_before_a_digit() {
        assert_eq!(version_key("V1.2"), version_key("1.2"));
        assert_ne!(version_key("vega"), version_key("ega"));
        assert_ne!(version_key("1.10"), version_key("1.1"));
    }

    #[test]
    fn seven_digits_name_a_commit() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        assert!(begins_commit(sha, sha) && begins_commit(sha, "0123456789ABCDEF"));
        assert!(!begins_commit(sha, "012345") && !begins_commit(sha, "1234567"));
        assert!(!begins_commit("0123", "0123456"));
    }
}
