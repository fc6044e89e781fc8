//! Reads the text, and goes on behind a mistake, so that all of them are told at once.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::source::Source;
use super::wording::{self, Refusal};
use super::{Config, Problem};

/// Nobody reads more mistakes than that at once.
const MOST_MISTAKES: usize = 50;

/// Keys whose values are secrets, or hold some: what is written there is never repeated.
const SECRET: [&str; 9] = [
    "signing_secrets",
    "signing_secret",
    "keys",
    "api_key",
    "application_key",
    "token",
    "tokens",
    "password",
    "value",
];

/// The configuration of a text, or all the values in it that cannot be.
pub(super) fn read(text: &str) -> Result<Config, Vec<Problem>> {
    let source = Source::new(text);
    let (mut tree, broken) = DeTable::parse_recoverable(text);
    if let Some(error) = broken.first() {
        // Text that is no TOML has no keys to check: report this error alone.
        let said = error.message();
        return Err(vec![source.problem(error.span().unwrap_or_default(), said)]);
    }
    let mut problems = Vec::new();
    let mut removed: Vec<Removed> = Vec::new();
    loop {
        let error = match Config::deserialize(Deserializer::from(tree.clone())) {
            Ok(config) if problems.is_empty() => return Ok(config),
            Ok(_) => return Err(problems),
            Err(error) => error,
        };
        let refusal = Refusal::of(error.message());
        let span = error.span().unwrap_or_default();
        let is_consequence = matches!(&refusal, Refusal::Missing(key)
            if removed.iter().any(|removed| removed.key == *key && removed.table == span));
        if !is_consequence {
            problems.push(problem(&source, span.clone(), &refusal));
        }
        match remove(&mut tree, &span) {
            Some(gone) if problems.len() < MOST_MISTAKES => removed.push(gone),
            _ => return Err(problems),
        }
    }
}

fn problem(source: &Source, span: Range<usize>, refusal: &Refusal) -> Problem {
    let key = source.key_at(span.start).unwrap_or_default();
    let is_secret = key.split('.').any(|part| SECRET.contains(&part));
    let value = source.slice(span.clone()).filter(|_| !is_secret);
    source.problem(span, wording::said(refusal, value))
}

/// A key that was taken out of the table at this place.
struct Removed {
    key: String,
    table: Range<usize>,
}

/// Takes out of the tree what was refused: the innermost value at this place, or the table.
fn remove(tree: &mut Spanned<DeTable<'_>>, refused: &Range<usize>) -> Option<Removed> {
    let place = tree.span();
    remove_from(tree.get_mut(), &place, refused)
}

fn remove_from(table: &mut DeTable<'_>, place: &Range<usize>, refused: &Range<usize>) -> Option<Removed> {
    let mut refused_key = None;
    for (key, value) in table.iter_mut() {
        let (key_at, at) = (key.span(), value.span());
        let is_empty = |value: &DeValue<'_>| matches!(value, DeValue::Array(items) if items.is_empty());
        let was_empty = is_empty(value.get_ref());
        let inner = match value.get_mut() {
            DeValue::Table(inner) => remove_from(inner, &at, refused),
            DeValue::Array(items) => remove_from_items(items, &at, refused),
            _ => None,
        };
        if inner.is_some() {
            return inner;
        }
        let is_emptied = !was_empty && is_empty(value.get_ref());
        if at == *refused || key_at == *refused || is_emptied {
            refused_key = Some(key.get_ref().to_string());
            break;
        }
    }
    let key = refused_key?;
    table.remove(key.as_str());
    Some(Removed { key, table: place.clone() })
}

/// Takes it out of a list. `None`: it is not in there, or was all that was.
fn remove_from_items(
    items: &mut DeArray<'_>,
    place: &Range<usize>,
    refused: &Range<usize>,
) -> Option<Removed> {
    for item in items.iter_mut() {
        let at = item.span();
        let DeValue::Table(inner) = item.get_mut() else { continue };
        let removed = remove_from(inner, &at, refused);
        if removed.is_some() {
            return removed;
        }
    }
    let mut kept = DeArray::new();
    let before = items.len();
    items.iter().filter(|item| item.span() != *refused).for_each(|item| kept.push(item.clone()));
    let is_gone = kept.len() < before;
    *items = kept;
    (is_gone && !items.is_empty()).then(|| Removed { key: String::new(), table: place.clone() })
}
