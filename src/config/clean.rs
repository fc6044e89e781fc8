//! Removes blanks and line ends around a secret, and refuses texts that cannot be one.

use std::fmt;

use secrecy::SecretString;

use crate::domain::name::trimmed;

/// Quotation marks that people put secrets in.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Reason why a text cannot be a secret. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotASecret {
    /// Bytes that are not UTF-8, such as a file in UTF-16.
    NotUtf8,
    /// The same quotation mark at both ends.
    Quoted,
    /// A quotation mark at one end only.
    HalfQuoted,
    /// A line `NAME=secret` or `NAME: secret`, as in a file of variables.
    Assignment,
    /// `Bearer secret` and the like, as in a header.
    Scheme,
    /// `<secret>`, as in instructions.
    Placeholder,
    /// `$NAME`, `${NAME}` or `{{ name }}`, which was not replaced by the value.
    Reference,
    /// A JSON object or list.
    Json,
    /// A comma or semicolon at the end.
    Punctuated,
    /// A ` # comment` after it.
    Comment,
    /// A blank within it, at this character, counted from 1.
    Blank(usize),
    /// A backslash and a letter at the end, instead of a newline or a tab.
    Escaped,
    /// More than one line.
    Lines,
    /// A control character, or one beyond ASCII, at this character, counted from 1. No secret of PagerDuty has one, and
    /// no HTTP header can carry one.
    Character(usize),
}

impl fmt::Display for NotASecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("is not text in UTF-8: write the secret again, as plain text"),
            Self::Quoted => f.write_str("is in quotation marks: remove them"),
            Self::HalfQuoted => f.write_str("has a quotation mark at one end: remove it"),
            Self::Assignment => f.write_str("begins with NAME= or NAME: — keep only the text after it"),
            Self::Scheme => f.write_str("begins with a word such as Bearer: keep only the text after it"),
            Self::Placeholder => f.write_str("is a placeholder in < and >: replace it with the secret"),
            Self::Reference => f.write_str(
                "refers to a variable, which is not replaced by its value here: write the secret itself",
            ),
            Self::Json => f.write_str("is a JSON value: keep only the secret in it"),
            Self::Punctuated => f.write_str("ends in a comma or semicolon: remove it"),
            Self::Comment => f.write_str("has a comment after it: remove the comment"),
            Self::Blank(place) => {
                write!(f, "has a blank in it (character {place}): copy the secret again")
            }
            Self::Escaped => f.write_str("ends in a backslash and a letter: remove both"),
            Self::Lines => f.write_str("has more than one line: keep only the secret"),
            Self::Character(place) => write!(
                f,
                "has a control character or one that is not ASCII (character {place}): copy the secret again"
            ),
        }
    }
}

/// Returns the secret in these bytes, without blanks, line ends, a byte order mark and invisible characters around it.
/// The result may be empty.
///
/// # Errors
/// The text cannot be a secret.
pub(super) fn clean(bytes: Vec<u8>) -> Result<SecretString, NotASecret> {
    let text = String::from_utf8(bytes).map_err(|_| NotASecret::NotUtf8)?;
    let secret = trimmed(&text);
    if let Some((_, after)) = secret.split_once(is_line_end)
        && !after.is_empty()
    {
        return Err(NotASecret::Lines);
    }
    match mistake(secret) {
        Some(mistake) => Err(mistake),
        None => Ok(secret.to_owned().into()),
    }
}

/// Reason why a line cannot be a secret. If there are several, the one that helps most.
fn mistake(secret: &str) -> Option<NotASecret> {
    let is_between = |open: char, close: char| secret.starts_with(open) && secret.ends_with(close);
    let is_quoted = |mark: char| secret.len() > 1 && is_between(mark, mark);
    let is_odd = |c: char| !(c.is_ascii_graphic() || c == ' ');
    let blank = || Some(secret.find(' ')? + 1);
    if QUOTES.into_iter().any(is_quoted) {
        return Some(NotASecret::Quoted);
    }
    if let Some(place) = secret.chars().position(is_odd) {
        return Some(NotASecret::Character(place + 1));
    }
    let found = [
        (["\\n", "\\r", "\\t"].iter().any(|end| secret.ends_with(end)), NotASecret::Escaped),
        (is_reference(secret), NotASecret::Reference),
        (is_between('{', '}') || is_between('[', ']'), NotASecret::Json),
        (is_between('<', '>'), NotASecret::Placeholder),
        (is_assignment(secret), NotASecret::Assignment),
        (has_scheme(secret), NotASecret::Scheme),
        (secret.contains(" #"), NotASecret::Comment),
        (secret.starts_with(QUOTES) || secret.ends_with(QUOTES), NotASecret::HalfQuoted),
        (secret.ends_with([',', ';']), NotASecret::Punctuated),
    ];
    let found = found.into_iter().find_map(|(is_found, mistake)| is_found.then_some(mistake));
    found.or_else(|| blank().map(NotASecret::Blank))
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// `true` for a name, a sign and a value after the sign. Nothing follows the `=` of base64 padding. A colon needs a
/// blank after it, because a secret may be `id:password`.
fn is_assignment(secret: &str) -> bool {
    let line = ["export ", "set "].iter().find_map(|word| secret.strip_prefix(word)).unwrap_or(secret);
    let is_named = |sign: &str| {
        line.split_once(sign).is_some_and(|(name, value)| {
            is_name(name.trim_end()) && !value.trim_start_matches(['=', ' ']).is_empty()
        })
    };
    is_named("=") || is_named(": ")
}

/// `true` if the whole text is `$NAME`, `${…}`, `$(…)`, `%NAME%` or `{{ … }}`.
fn is_reference(secret: &str) -> bool {
    let is_within =
        |open: &str, close: &str| secret.strip_prefix(open).is_some_and(|rest| rest.ends_with(close));
    let per_cent = secret.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
    secret.strip_prefix('$').or(per_cent).is_some_and(is_name)
        || [("${", "}"), ("$(", ")"), ("{{", "}}")].iter().any(|(open, close)| is_within(open, close))
}

/// `true` if the text begins with a word that headers have before a secret.
fn has_scheme(secret: &str) -> bool {
    const SCHEMES: [&str; 4] = ["bearer", "token", "basic", "apikey"];
    let word = secret.split_once(' ').map(|(word, _)| word.trim_end_matches(':'));
    word.is_some_and(|word| SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)))
}

/// `true` for the name of a variable, a header or a key.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn cleaned(text: &str) -> Result<String, NotASecret> {
        clean(text.as_bytes().to_vec()).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn blanks_and_line_ends_around_a_secret_are_removed() {
        for around in
            ["", "\n", "\r\n", "\n\n", " ", "\t", "\r", "\u{feff}", "\u{a0}", "\u{200b}", "\u{2028}", "\0"]
        {
            assert_eq!(cleaned(&format!("{around}0123456789abcdef{around}")).unwrap(), "0123456789abcdef");
        }
        assert_eq!(cleaned(" \u{feff}\r\n").unwrap(), "");
        assert_eq!(cleaned("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw==").unwrap().len(), 40);
    }

    #[test]
    fn a_text_that_cannot_be_a_secret_is_refused() {
        for (text, mistake) in [
            ("\"secret\"\n", NotASecret::Quoted),
            ("'secret'", NotASecret::Quoted),
            ("first\nsecond", NotASecret::Lines),
            ("first\r\nsecond\n", NotASecret::Lines),
            ("sec\tret", NotASecret::Character(4)),
            ("sec\u{a0}ret", NotASecret::Character(4)),
            ("sec\u{200b}ret", NotASecret::Character(4)),
            ("\u{201c}secret\u{201d}", NotASecret::Character(1)),
            ("secret\\n", NotASecret::Escaped),
            ("PAGERDUTY_SIGNING_SECRET=secret", NotASecret::Assignment),
            ("export DD_API_KEY=\"secret\"", NotASecret::Assignment),
            ("SECRET=secret", NotASecret::Assignment),
            ("secret=secret", NotASecret::Assignment),
            ("export S=secret", NotASecret::Assignment),
            ("S = secret", NotASecret::Assignment),
            ("dd-api-key=secret", NotASecret::Assignment),
            ("SECRET=c2VjcmV0Cg==", NotASecret::Assignment),
            ("KEY: secret", NotASecret::Assignment),
            ("\"secret", NotASecret::HalfQuoted),
            ("secret'", NotASecret::HalfQuoted),
            ("\"secret\",", NotASecret::HalfQuoted),
            ("secret\\t", NotASecret::Escaped),
            ("secret\\r\\n", NotASecret::Escaped),
            ("Bearer secret", NotASecret::Scheme),
            ("bearer  secret", NotASecret::Scheme),
            ("Token: secret", NotASecret::Assignment),
            ("<your-signing-secret>", NotASecret::Placeholder),
            ("\u{2039}secret\u{203a}", NotASecret::Character(1)),
            ("$SECRET", NotASecret::Reference),
            ("${SECRET}", NotASecret::Reference),
            ("$(cat secret)", NotASecret::Reference),
            ("%SECRET%", NotASecret::Reference),
            ("{{ secret }}", NotASecret::Reference),
            ("{\"secret\": \"secret\"}", NotASecret::Json),
            ("[\"secret\"]", NotASecret::Json),
            ("secret;", NotASecret::Punctuated),
            ("secret,", NotASecret::Punctuated),
            ("secret # of the vault", NotASecret::Comment),
            ("sec ret", NotASecret::Blank(4)),
        ] {
            assert_eq!(cleaned(text), Err(mistake), "{text:?}");
        }
        assert_eq!(clean(b"s\0e\0c\0".to_vec()).map(|_| ()), Err(NotASecret::Character(2)));
        assert_eq!(clean(vec![0xff, 0xfe, b's', 0]).map(|_| ()), Err(NotASecret::NotUtf8));
    }

    proptest! {
        /// Usual forms of secrets: hex, base64 in both alphabets, letters and digits, with and without a prefix.
        #[test]
        fn a_usual_secret_passes(
            secret in "(whsec_|ghp_|glpat-|u\\+|dd)?([0-9a-f]{16,64}|[A-Za-z0-9]{8,64}|[A-Za-z0-9+/]{15,64}={0,2}|[A-Za-z0-9_-]{15,64}={0,2})",
        ) {
            prop_assert_eq!(cleaned(&secret).unwrap(), secret);
        }

        /// A cleaned secret can be sent in a header and compared as bytes. Cleaning it again changes nothing.
        #[test]
        fn a_secret_is_plain_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40), text in "\\PC{0,20}") {
            for bytes in [bytes, text.into_bytes()] {
                if let Ok(secret) = clean(bytes) {
                    let secret = secret.expose_secret();
                    prop_assert!(secret.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
                    prop_assert_eq!(secret.trim(), secret);
                    prop_assert_eq!(cleaned(secret).unwrap(), secret);
                }
            }
        }
    }
}
