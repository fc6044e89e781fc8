//! Rewrites the parser's messages in the terms of TOML, with advice.

use crate::domain::address::without_credentials;

/// Reason why a value was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ValueRefusal {
    /// Unknown key, and the known keys of the table.
    UnknownKey(String, Vec<String>),
    /// Unknown word, and the words that the key takes.
    UnknownWord(String, Vec<String>),
    /// Missing key.
    Missing(String),
    /// Value of the wrong type.
    Type { found: String, expected: String },
    /// Value that is not a text, for a key that allows one of a few words.
    NotAWord,
    /// Message of one of our own types about its value.
    Other(String),
}

impl ValueRefusal {
    /// Reads a message of serde. Its errors have nothing but their text.
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
            return Self::NotAWord;
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

/// First name in backticks after `prefix`, and the text after it.
fn named<'a>(message: &'a str, prefix: &str) -> Option<(String, &'a str)> {
    let rest = message.strip_prefix(prefix)?;
    // A name may have a backtick in it.
    let (name, rest) = rest.split_once("`, ").or_else(|| rest.rsplit_once('`'))?;
    Some((name.to_owned(), rest))
}

/// Name of a type in the words of TOML. The value that serde adds is left out, because it may be a secret.
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

/// Message about a refusal. `value` is the refused text, if it may be repeated.
pub(super) fn refusal_message(refusal: &ValueRefusal, value: Option<&str>) -> String {
    match refusal {
        ValueRefusal::UnknownKey(name, known) => {
            format!("unknown key{}{}", nearest(name, known), list("Known here", known))
        }
        ValueRefusal::UnknownWord(word, known) => {
            format!("{word:?} is not known{}{}", nearest(word, known), list("Allowed", known))
        }
        ValueRefusal::NotAWord => not_a_word_message(value, &[]),
        ValueRefusal::Missing(key) => format!("needs the key {key}"),
        ValueRefusal::Type { found, expected } if found == "a table" && expected == "a list" => {
            "must be a list of tables: write the heading in double brackets, [[…]]".to_owned()
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
        ValueRefusal::Other(message) => match value.and_then(shown).filter(|_| is_about_its_value(message)) {
            Some(value) => format!("{value} {message}"),
            None => message.clone(),
        },
    }
}

/// Message about a value that is not a text, for a key that takes one of these words.
pub(super) fn not_a_word_message(value: Option<&str>, known: &[String]) -> String {
    let value = value.and_then(shown).unwrap_or("the value");
    format!("{value} is not a word in quotes.{}", list("Allowed", known))
}

/// `true` for messages of our own types, which begin with a verb: "must be at least 3d".
fn is_about_its_value(message: &str) -> bool {
    ["is ", "must ", "holds ", "has "].iter().any(|verb| message.starts_with(verb))
}

/// The value, if a message may repeat it: it is short, on one line, and cannot hold credentials.
pub(super) fn shown(value: &str) -> Option<&str> {
    const LONGEST_CHARS: usize = 80;
    let may_hold_credentials = value.contains(['@', '\u{ff20}'])
        || (value.contains("://") && value.contains(['?', '#']))
        || without_credentials(value) != value;
    let is_plain = !value.chars().any(char::is_control) && value.chars().count() <= LONGEST_CHARS;
    let is_table = value.starts_with('{');
    (is_plain && !is_table && !may_hold_credentials && !value.is_empty()).then_some(value)
}

/// Suggestion of the known word that is most similar, or a full stop.
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

    fn message_for(message: &str, value: &str) -> String {
        refusal_message(&ValueRefusal::of(message), Some(value))
    }

    #[test]
    fn the_nearest_key_is_suggested() {
        let message = "unknown field `servics`, expected one of `pagerduty`, `services`, `team`";
        assert_eq!(
            message_for(message, "servics"),
            "unknown key: did you mean \"services\"? Known here: pagerduty, services, team"
        );
        assert_eq!(
            message_for("unknown field `xyz`, expected `team`", "xyz"),
            "unknown key. Known here: team"
        );
        assert_eq!(
            message_for("unknown variant `ignroe`, expected `ignore` or `count`", "\"ignroe\""),
            "\"ignroe\" is not known: did you mean \"ignore\"? Allowed: ignore, count"
        );
    }

    #[test]
    fn a_value_is_repeated_unless_it_may_be_a_secret() {
        assert_eq!(message_for("must be at least 3d", "\"0s\""), "\"0s\" must be at least 3d");
        assert_eq!(
            message_for("invalid type: integer `730`, expected a string", "730"),
            "730 is a number: expected a text in quotes"
        );
        let secret = "invalid type: string \"canary\", expected a sequence";
        assert_eq!(refusal_message(&ValueRefusal::of(secret), None), "is a text: expected a list");
        for value in
            ["\"https://me:canary@x\"", "\"https://x/?k=canary\"", "{ value = \"canary\" }", "\"a\nb\""]
        {
            assert_eq!(message_for("is not a URL", value), "is not a URL", "{value}");
        }
    }
}
