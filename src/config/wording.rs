//! The parser's messages, in the words of this program.

use crate::domain::address::without_credentials;

/// Reason why a value was refused while it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ValueRefusal {
    /// A key that the table does not have, and those that it has.
    UnknownKey(String, Vec<String>),
    /// A word that the key does not take, and those that it takes.
    UnknownWord(String, Vec<String>),
    /// A key that the table needs.
    Missing(String),
    /// A value of this type, where that one is expected.
    Type { found: String, expected: String },
    /// A value that is no text, where one of a few words is expected.
    NoWord,
    /// Whatever a value says about itself.
    Other(String),
}

impl ValueRefusal {
    /// Understands the messages of serde (its `Error` trait), which carry no more than their text.
    pub(super) fn of(message: &str) -> Self {
        let quoted =
            |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<String>>();
        if let Some((name, known)) = named(message, "unknown field `") {
            return Self::UnknownKey(name, quoted(known));
        }
        if let Some((name, known)) = named(message, "unknown variant `") {
            return Self::UnknownWord(name, quoted(known));
        }
        if message == "wanted string or table" {
            return Self::NoWord;
        }
        if let Some((name, _)) = named(message, "missing field `") {
            return Self::Missing(name);
        }
        let mismatch =
            message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "));
        match mismatch {
            Some((found, expected)) => Self::Type { found: type_name(found), expected: type_name(expected) },
            None => Self::Other(message.to_owned()),
        }
    }
}

/// The first name in backticks behind `prefix`, and what follows it.
fn named<'a>(message: &'a str, prefix: &str) -> Option<(String, &'a str)> {
    let rest = message.strip_prefix(prefix)?;
    // A name may have a backtick in it.
    let (name, rest) = rest.split_once("`, ").or_else(|| rest.rsplit_once('`'))?;
    Some((name.to_owned(), rest))
}

/// The type, in the words of the file's format, and without the value that serde puts behind it: it may be a secret.
fn type_name(text: &str) -> String {
    let word = text.split_once(['`', '"']).map_or(text, |(word, _)| word).trim();
    let name = match word {
        "map" | "a map" => "a table",
        "sequence" | "a sequence" => "a list",
        "string" => "a text",
        "a string" => "a text in quotes",
        "integer" => "a number",
        "usize" | "u64" | "u32" | "u16" | "i64" => "a number without quotes",
        "floating point" => "a number with a point",
        "boolean" | "a boolean" => "true or false",
        word if word.starts_with("struct ") => "a table",
        word => word,
    };
    name.to_owned()
}

/// The message. `value` is the text that was refused, where it may be repeated.
pub(super) fn said(refusal: &ValueRefusal, value: Option<&str>) -> String {
    match refusal {
        ValueRefusal::UnknownKey(name, known) => {
            format!("unknown key{}{}", nearest(name, known), list("Known here", known))
        }
        ValueRefusal::UnknownWord(word, known) => {
            format!("{word:?} is not known{}{}", nearest(word, known), list("Allowed", known))
        }
        ValueRefusal::NoWord => no_word(value, &[]),
        ValueRefusal::Missing(key) => format!("needs the key {key}"),
        ValueRefusal::Type { found, expected } if found == "a table" && expected == "a list" => {
            "is one table, and there may be several: write its heading in double brackets, [[…]]".to_owned()
        }
        ValueRefusal::Type { found, expected } if found == "a text" && expected == "a list" => {
            match value.and_then(shown) {
                Some(value) => format!("takes a list: put {value} in square brackets, [{value}]"),
                None => "is a text: expected a list".to_owned(),
            }
        }
        ValueRefusal::Type { found, expected } => {
            let value = value.and_then(shown).map(|value| format!("{value} ")).unwrap_or_default();
            format!("{value}is {found}: expected {expected}")
        }
        ValueRefusal::Other(said) => match value.and_then(shown).filter(|_| is_about_its_value(said)) {
            Some(value) => format!("{value} {said}"),
            None => said.clone(),
        },
    }
}

/// The message about a value that is no text, for a key that takes one of these words.
pub(super) fn no_word(value: Option<&str>, known: &[String]) -> String {
    let value = value.and_then(shown).unwrap_or("the value");
    format!("{value} is not a word in quotes.{}", list("Allowed", known))
}

/// Our own values speak of themselves without their names: "must be at least 3d".
fn is_about_its_value(said: &str) -> bool {
    ["is ", "must ", "holds ", "has "].iter().any(|verb| said.starts_with(verb))
}

/// A value that is short, on one line, and certainly has no credentials in it.
pub(super) fn shown(value: &str) -> Option<&str> {
    const LONGEST_CHARS: usize = 80;
    let may_hold_credentials = value.contains(['@', '\u{ff20}'])
        || (value.contains("://") && value.contains(['?', '#']))
        || without_credentials(value) != value;
    let is_plain = !value.chars().any(char::is_control) && value.chars().count() <= LONGEST_CHARS;
    let is_table = value.starts_with('{');
    (is_plain && !is_table && !may_hold_credentials && !value.is_empty()).then_some(value)
}

/// Word that somebody probably meant.
pub(super) fn nearest(word: &str, known: &[String]) -> String {
    const LEAST_LIKENESS: f64 = 0.6;
    let likeness = |known: &String| strsim::normalized_damerau_levenshtein(&word.to_lowercase(), known);
    let best = known.iter().map(|known| (likeness(known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, best)) if likeness >= LEAST_LIKENESS => format!(": did you mean {best:?}?"),
        _ => ".".to_owned(),
    }
}

fn list(what: &str, known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" {what}: {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str, value: &str) -> String {
        said(&ValueRefusal::of(message), Some(value))
    }

    #[test]
    fn the_nearest_key_is_suggested() {
        let message = "unknown field `servics`, expected one of `pagerduty`, `services`, `team`";
        assert_eq!(
            told(message, "servics"),
            "unknown key: did you mean \"services\"? Known here: pagerduty, services, team"
        );
        assert_eq!(told("unknown field `xyz`, expected `team`", "xyz"), "unknown key. Known here: team");
        assert_eq!(
            told("unknown variant `ignroe`, expected `ignore` or `count`", "\"ignroe\""),
            "\"ignroe\" is not known: did you mean \"ignore\"? Allowed: ignore, count"
        );
    }

    #[test]
    fn the_value_is_repeated_where_it_may_be() {
        assert_eq!(told("must be at least 3d", "\"0s\""), "\"0s\" must be at least 3d");
        assert_eq!(
            told("invalid type: integer `730`, expected a string", "730"),
            "730 is a number: expected a text in quotes"
        );
        let secret = "invalid type: string \"canary\", expected a sequence";
        assert_eq!(said(&ValueRefusal::of(secret), None), "is a text: expected a list");
        for value in
            ["\"https://me:canary@x\"", "\"https://x/?k=canary\"", "{ value = \"canary\" }", "\"a\nb\""]
        {
            assert_eq!(told("is not a URL", value), "is not a URL", "{value}");
        }
    }
}
