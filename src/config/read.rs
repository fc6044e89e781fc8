//! Reads the text. After a mistake it goes on, so that all mistakes are reported at once.

use std::ops::Range;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::problem::MOST_MISTAKES;
use super::source_map::SourceMap;
use super::tree::{self, Removed};
use super::wording::{self, ValueRefusal};
use super::{BackendKind, Config, Problem, secret_form, syntax};

/// Keys that tables need.
const NEEDED: [(&str, &[&str]); 6] = [
    ("server.tls", &["certificate", "key"]),
    ("pagerduty.api", &["token"]),
    ("rule", &["name", "action"]),
    ("service", &["pagerduty"]),
    ("deployment", &["name"]),
    ("backend", &["name", "kind", "url"]),
];

/// Reads as much of a text as possible, and finds all wrong values. `None` if nothing can be read.
pub(super) fn read(text: &str) -> (Option<Config>, Vec<Problem>) {
    let source_map = SourceMap::new(text);
    let (tree, broken) = DeTable::parse_recoverable(text);
    if !broken.is_empty() {
        // A text that is no TOML has no keys to check.
        return (None, syntax::problems(text, &source_map, &broken));
    }
    let mut reading =
        Reading { source_map, written: tree.clone(), tree, problems: Vec::new(), removed: Vec::new() };
    loop {
        match deserialize(&reading.tree) {
            Ok(config) if reading.problems.is_empty() => return (Some(config), Vec::new()),
            Ok(_) => return (remainder(reading.written.get_ref(), reading.tree), reading.problems),
            Err(error) if reading.refuse(&error) => {}
            Err(_) => return (None, reading.problems),
        }
    }
}

fn deserialize(tree: &Spanned<DeTable<'_>>) -> Result<Config, Error> {
    Config::deserialize(Deserializer::from(tree.clone()))
}

/// Configuration of the tables without a mistake.
fn remainder(written: &DeTable<'_>, mut left: Spanned<DeTable<'_>>) -> Option<Config> {
    let refused = tree::leave_out_damaged(written, left.get_mut());
    let is_signing_left = matches!(
        left.get_ref().get("pagerduty").map(Spanned::get_ref),
        Some(DeValue::Table(table)) if table.contains_key("signing_secrets")
    );
    let mut config = Config { refused, ..deserialize(&left).ok()? };
    if config.is_refused("pagerduty.signing_secrets") && !is_signing_left {
        // All entries were refused. The default would be wrong here.
        config.pagerduty.signing_secrets.clear();
    }
    Some(config)
}

/// State of reading a text.
struct Reading<'i> {
    source_map: SourceMap,
    written: Spanned<DeTable<'i>>,
    /// Values without those that were refused.
    tree: Spanned<DeTable<'i>>,
    problems: Vec<Problem>,
    removed: Vec<Removed>,
}

impl Reading<'_> {
    /// Records the mistake, and removes it from the tree. `false` if it cannot be found, or if there are too many.
    fn refuse(&mut self, error: &Error) -> bool {
        let Some(place) = error.span() else {
            let message = wording::refusal_message(&ValueRefusal::of(error.message()), None);
            self.problems.push(Problem::with_key("configuration", message));
            return false;
        };
        let entries = self.wrong_entries(&place);
        if entries.is_empty() {
            let refusal = ValueRefusal::of(error.message());
            self.note(&place, &refusal);
            return self.remove(&place);
        }
        for (place, refusal) in &entries {
            self.note(place, refusal);
        }
        entries.iter().all(|(place, _)| self.remove(place))
    }

    fn remove(&mut self, place: &Range<usize>) -> bool {
        match tree::remove(&mut self.tree, place) {
            Some(gone) if self.problems.len() < MOST_MISTAKES => {
                self.removed.push(gone);
                true
            }
            _ => false,
        }
    }

    /// Wrong entries of a list that was refused. To find them, each entry is tried alone.
    fn wrong_entries(&self, place: &Range<usize>) -> Vec<(Range<usize>, ValueRefusal)> {
        let found = tree::find(self.tree.get_ref(), place).and_then(|found| found.value);
        let Some(DeValue::Array(items)) = found else { return Vec::new() };
        let refused = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
            let alone = tree::with_one_entry(&self.tree, place, index);
            let error = deserialize(&alone).err().filter(|error| error.span().as_ref() == Some(place))?;
            Some((item.span(), ValueRefusal::of(error.message())))
        };
        // A list of another type is refused as a whole.
        let entries: Vec<_> = items.iter().enumerate().filter_map(refused).collect();
        let is_about_the_list =
            |(_, refusal): &(_, ValueRefusal)| matches!(refusal, ValueRefusal::Type { .. });
        if entries.iter().any(is_about_the_list) { Vec::new() } else { entries }
    }

    fn note(&mut self, place: &Range<usize>, refusal: &ValueRefusal) {
        let message = match refusal {
            ValueRefusal::Missing(key) => self.missing(place, key),
            refusal => Some(self.message(place, refusal)),
        };
        if let Some(message) = message {
            self.problems.push(self.source_map.problem(place.clone(), message));
        }
    }

    /// Message about the keys that a table lacks. `None` if the table had them in the text, and they were removed as
    /// mistakes.
    fn missing(&self, place: &Range<usize>, first: &str) -> Option<String> {
        let table = self.source_map.key_at(place.start).unwrap_or_default();
        let found = tree::find(self.tree.get_ref(), place).and_then(|found| found.value);
        let has = |key: &str| {
            let is_removed = |removed: &Removed| removed.key == key && removed.table == *place;
            matches!(found, Some(DeValue::Table(table)) if table.contains_key(key))
                || self.removed.iter().any(is_removed)
        };
        let needed = NEEDED.iter().find(|(name, _)| *name == table).map_or(&[][..], |(_, keys)| *keys);
        let mut missing: Vec<&str> = needed.iter().copied().filter(|key| !has(key)).collect();
        if missing.is_empty() && !has(first) {
            missing.push(first);
        }
        let by_kind = match found {
            Some(DeValue::Table(entry)) if table == "backend" => kind(entry),
            _ => None,
        };
        let secrets = by_kind.map_or(&[][..], |kind| kind.secrets().0);
        missing.extend(secrets.iter().filter(|key| !has(key)));
        match missing.as_slice() {
            [] => None,
            [one] => Some(format!("needs the key {one}")),
            [all @ .., last] => {
                let message = format!("needs the keys {} and {last}", all.join(", "));
                let also = "; all kinds except cdevents and http also need api_key";
                let is_open = missing.contains(&"kind") && !has("api_key");
                Some(if is_open { message + also } else { message })
            }
        }
    }

    fn message(&self, place: &Range<usize>, refusal: &ValueRefusal) -> String {
        let key = self.source_map.key_at(place.start).unwrap_or_default();
        let is_secret = key.split('.').any(secret_form::may_hold_secret);
        // Entries are counted in the text as written.
        let found = tree::find(self.written.get_ref(), place);
        let is_table = |value: &DeValue<'_>| value.is_table();
        let table = found.as_ref().and_then(|found| found.value).filter(|value| is_table(value));
        let is_value = found.as_ref().is_some_and(|found| found.value.is_some());
        let value = self.source_map.slice(place.clone()).filter(|_| !is_secret && table.is_none());
        let message = match (refusal, table) {
            (ValueRefusal::Type { expected, .. }, Some(DeValue::Table(table)))
                if is_secret && expected == "a list" =>
            {
                let form =
                    secret_form::KEYS.into_iter().find(|key| table.contains_key(*key)).unwrap_or("env");
                format!("must be a list of secrets: put this one in brackets, [{{ {form} = \"…\" }}]")
            }
            (ValueRefusal::Type { found, expected }, _) if is_secret && expected.starts_with("{ env") => {
                let mistake = match found.as_str() {
                    "a list" => "must be one secret, without square brackets",
                    _ => "must name the source of the secret",
                };
                format!("{mistake}: write {}", secret_form::FORMS)
            }
            (ValueRefusal::NotAWord, _) => {
                wording::not_a_word_message(value, &self.words(place).unwrap_or_default())
            }
            _ => wording::refusal_message(refusal, value.filter(|_| is_value)),
        };
        match found.and_then(|found| found.entry) {
            Some(entry) => format!("entry {entry}: {message}"),
            None => message,
        }
    }

    /// Values that a key allows. They are found by reading the key with a wrong value.
    fn words(&self, place: &Range<usize>) -> Option<Vec<String>> {
        let error = deserialize(&tree::with_text(&self.tree, place, "?")).err()?;
        match ValueRefusal::of(error.message()) {
            ValueRefusal::UnknownWord(_, known) => Some(known),
            _ => None,
        }
    }
}

/// Kind of a backend, if it is a known one.
fn kind(entry: &DeTable<'_>) -> Option<BackendKind> {
    let text = entry.get("kind")?.get_ref().as_str()?;
    let kind: Result<BackendKind, serde::de::value::Error> =
        BackendKind::deserialize(text.into_deserializer());
    kind.ok()
}
