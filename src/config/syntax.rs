//! Mistakes in a text that is not TOML. The most frequent one is a value without quotes.

use std::ops::Range;

use toml::de::Error;

use super::Problem;
use super::secret_form::may_hold_secret;
use super::source_map::SourceMap;
use super::wording::shown;

/// Every value without quotes, or the first mistake of another kind. Later mistakes of other kinds are left out: they
/// may only be consequences of the first.
pub(super) fn problems(text: &str, source_map: &SourceMap, broken: &[Error]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for (index, error) in broken.iter().enumerate() {
        let (place, message) = (error.span(), plain_message(error.message()));
        let unquoted = place.as_ref().and_then(|place| unquoted(text, source_map, place));
        let other = || match place.clone() {
            Some(place) => source_map.problem(place, message),
            None => Problem::with_key("configuration", message),
        };
        let problem = unquoted.or_else(|| (index == 0).then(other));
        problems.extend(problem.filter(|problem| !problems.contains(problem)));
    }
    problems
}

/// The parser's message, or a plainer one.
fn plain_message(message: &str) -> &str {
    if message.contains("must be quoted") { "a text must be in quotes" } else { message }
}

/// Mistake in a line `key = value` whose value begins like a text without quotes.
fn unquoted(text: &str, source_map: &SourceMap, place: &Range<usize>) -> Option<Problem> {
    let begin = text.get(..place.start)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(begin..)?.lines().next()?;
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim(), value.split(" #").next()?.trim());
    let is_key =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let is_bare = value.starts_with(|first: char| first.is_alphanumeric() || "/.$~-:".contains(first));
    // A quotation mark within the value is another mistake.
    if !is_key || !is_bare || value.contains(['"', '\'', '\\']) {
        return None;
    }
    let heading = text.get(..begin)?.lines().rev().map(str::trim).find(|line| line.starts_with('['));
    let table =
        heading.map(|heading| heading.trim_matches(['[', ']', ' '])).filter(|table| !table.contains(']'));
    let path = table.map_or_else(|| key.to_owned(), |table| format!("{table}.{key}"));
    let may_be_shown = !key.split('.').any(may_hold_secret);
    let message = match shown(value).filter(|_| may_be_shown) {
        Some(value) => format!("{value} must be in quotes: {key} = \"{value}\""),
        None => format!("the value must be in quotes: {key} = \"…\""),
    };
    Some(Problem::at(source_map.line(begin), Some(path), message))
}
