//! Secrets as people leave them in files and variables, and what of that is the secret.

use std::fmt;

use secrecy::SecretString;

use crate::domain::name::trimmed;

/// Quotation marks that secrets are put in.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Reason why a text is no secret. Tells the kind and the place, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclean {
    /// Bytes that are no text, as in a file that another program wrote in UTF-16.
    NotUtf8,
    /// The same quotation mark at both ends.
    Quoted,
    /// A quotation mark at one end only.
    HalfQuoted,
    /// A line `NAME=secret` or `NAME: secret`, as files of variables have it.
    Assignment,
    /// `Bearer secret` and the like, as a header has it.
    Scheme,
    /// `<secret>`, as instructions have it.
    Placeholder,
    /// `$NAME`, `${NAME}` or `{{ name }}`, which nobody has replaced.
    Reference,
    /// A whole object or list of JSON.
    Json,
    /// A comma or semicolon at the end.
    Punctuated,
    /// ` # comment` behind it.
    Comment,
    /// A blank within it, counted from 1.
    Blank(usize),
    /// A backslash and a letter at the end, where a newline or tab was meant.
    Escaped,
    /// More than one line.
    Lines,
    /// A control character, or one beyond ASCII: no secret of PagerDuty has one, and no HTTP header can carry it.
    /// Counted from 1.
    Character(usize),
}

impl fmt::Display for Unclean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("is not text in UTF-8: write the secret again, as plain text"),
            Self::Quoted => f.write_str("stands in quotation marks: remove them"),
            Self::HalfQuoted => f.write_str("has a quotation mark at one end: remove it"),
            Self::Assignment => f.write_str("begins with NAME= or NAME: — leave only what is behind it"),
            Self::Scheme => f.write_str("begins with a word such as Bearer: leave only what is behind it"),
            Self::Placeholder => f.write_str(
                "stands in < and >, as the placeholder of an example does: put the secret in its place",
            ),
            Self::Reference => f.write_str(
                "is the name of a variable that nothing has replaced by its value: write the secret itself",
            ),
            Self::Json => f.write_str("is a whole JSON value: leave only the secret that is in it"),
            Self::Punctuated => f.write_str("ends in a comma or semicolon: remove it"),
            Self::Comment => f.write_str("has a comment behind it: remove it"),
            Self::Blank(place) => {
                write!(f, "has a blank in it (the character number {place}): copy the secret again")
            }
            Self::Escaped => {
                f.write_str("ends in a backslash and a letter instead of a line end: remove both")
            }
            Self::Lines => f.write_str("has more than one line: leave only the secret"),
            Self::Character(place) => write!(
                f,
                "has a control character or one that is not ASCII (the character number {place}): copy the secret again"
            ),
        }
    }
}

/// The secret in these bytes, without what is around it by accident: blanks, line ends, a byte order mark, characters
/// that nobody sees. An empty text if there is nothing else.
///
/// # Errors
/// There is something in it that no secret has.
pub(super) fn clean(bytes: Vec<u8>) -> Result<SecretString, Unclean> {
    let text = String::from_utf8(bytes).map_err(|_| Unclean::NotUtf8)?;
    let secret = trimmed(&text);
    if let Some((_, after)) = secret.split_once(is_line_end)
        && !after.is_empty()
    {
        return Err(Unclean::Lines);
    }
    match unclean(secret) {
        Some(unclean) => Err(unclean),
        None => Ok(secret.to_owned().into()),
    }
}

/// Finds in a line what no secret has. The most telling reason comes first.
fn unclean(secret: &str) -> Option<Unclean> {
    let stands_in = |open: char, close: char| secret.starts_with(open) && secret.ends_with(close);
    let is_quoted = |mark: char| secret.len() > 1 && stands_in(mark, mark);
    let is_odd = |c: char| !(c.is_ascii_graphic() || c == ' ');
    let blank = || Some(secret.find(' ')? + 1);
    if QUOTES.into_iter().any(is_quoted) {
        return Some(Unclean::Quoted);
    }
    if let Some(place) = secret.chars().position(is_odd) {
        return Some(Unclean::Character(place + 1));
    }
    let found = [
        (["\\n", "\\r", "\\t"].iter().any(|end| secret.ends_with(end)), Unclean::Escaped),
        (is_reference(secret), Unclean::Reference),
        (stands_in('{', '}') || stands_in('[', ']'), Unclean::Json),
        (stands_in('<', '>'), Unclean::Placeholder),
        (is_assignment(secret), Unclean::Assignment),
        (has_scheme(secret), Unclean::Scheme),
        (secret.contains(" #"), Unclean::Comment),
        (secret.starts_with(QUOTES) || secret.ends_with(QUOTES), Unclean::HalfQuoted),
        (secret.ends_with([',', ';']), Unclean::Punctuated),
    ];
    let found = found.into_iter().find_map(|(is_found, unclean)| is_found.then_some(unclean));
    found.or_else(|| blank().map(Unclean::Blank))
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// A name, a sign, and something behind the sign: padding of base64 is never followed by anything else. A colon needs
/// a blank behind it, for a secret may be `id:password`.
fn is_assignment(secret: &str) -> bool {
    let line = ["export ", "set "].iter().find_map(|word| secret.strip_prefix(word)).unwrap_or(secret);
    let is_named = |sign: &str| {
        line.split_once(sign).is_some_and(|(name, value)| {
            is_name(name.trim_end()) && !value.trim_start_matches(['=', ' ']).is_empty()
        })
    };
    is_named("=") || is_named(": ")
}

/// `$NAME`, `${…}`, `$(…)`, `%NAME%` and `{{ … }}`, each as the whole of the text.
fn is_reference(secret: &str) -> bool {
    let is_within =
        |open: &str, close: &str| secret.strip_prefix(open).is_some_and(|rest| rest.ends_with(close));
    let per_cent = secret.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
    secret.strip_prefix('$').or(per_cent).is_some_and(is_name)
        || [("${", "}"), ("$(", ")"), ("{{", "}}")].iter().any(|(open, close)| is_within(open, close))
}

/// A word that headers have before a secret.
fn has_scheme(secret: &str) -> bool {
    const SCHEMES: [&str; 4] = ["bearer", "token", "basic", "apikey"];
    let word = secret.split_once(' ').map(|(word, _)| word.trim_end_matches(':'));
    word.is_some_and(|word| SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)))
}

/// A name of a variable, a header or a key of a file.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn cleaned(text: &str) -> Result<String, Unclean> {
        clean(text.as_bytes().to_vec()).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn what_is_around_a_secret_is_cut() {
        for around in
            ["", "\n", "\r\n", "\n\n", " ", "\t", "\r", "\u{feff}", "\u{a0}", "\u{200b}", "\u{2028}", "\0"]
        {
            assert_eq!(cleaned(&format!("{around}0123456789abcdef{around}")).unwrap(), "0123456789abcdef");
        }
        assert_eq!(cleaned(" \u{feff}\r\n").unwrap(), "");
        assert_eq!(cleaned("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw==").unwrap().len(), 40);
    }

    #[test]
    fn what_no_secret_has_is_refused() {
        for (text, unclean) in [
            ("\"secret\"\n", Unclean::Quoted),
            ("'secret'", Unclean::Quoted),
            ("first\nsecond", Unclean::Lines),
            ("first\r\nsecond\n", Unclean::Lines),
            ("sec\tret", Unclean::Character(4)),
            ("sec\u{a0}ret", Unclean::Character(4)),
            ("sec\u{200b}ret", Unclean::Character(4)),
            ("\u{201c}secret\u{201d}", Unclean::Character(1)),
            ("secret\\n", Unclean::Escaped),
            ("PAGERDUTY_SIGNING_SECRET=secret", Unclean::Assignment),
            ("export DD_API_KEY=\"secret\"", Unclean::Assignment),
            ("SECRET=secret", Unclean::Assignment),
            ("secret=secret", Unclean::Assignment),
            ("export S=secret", Unclean::Assignment),
            ("S = secret", Unclean::Assignment),
            ("dd-api-key=secret", Unclean::Assignment),
            ("SECRET=c2VjcmV0Cg==", Unclean::Assignment),
            ("KEY: secret", Unclean::Assignment),
            ("\"secret", Unclean::HalfQuoted),
            ("secret'", Unclean::HalfQuoted),
            ("\"secret\",", Unclean::HalfQuoted),
            ("secret\\t", Unclean::Escaped),
            ("secret\\r\\n", Unclean::Escaped),
            ("Bearer secret", Unclean::Scheme),
            ("bearer  secret", Unclean::Scheme),
            ("Token: secret", Unclean::Assignment),
            ("<your-signing-secret>", Unclean::Placeholder),
            ("\u{2039}secret\u{203a}", Unclean::Character(1)),
            ("$SECRET", Unclean::Reference),
            ("${SECRET}", Unclean::Reference),
            ("$(cat secret)", Unclean::Reference),
            ("%SECRET%", Unclean::Reference),
            ("{{ secret }}", Unclean::Reference),
            ("{\"secret\": \"secret\"}", Unclean::Json),
            ("[\"secret\"]", Unclean::Json),
            ("secret;", Unclean::Punctuated),
            ("secret,", Unclean::Punctuated),
            ("secret # of the vault", Unclean::Comment),
            ("sec ret", Unclean::Blank(4)),
        ] {
            assert_eq!(cleaned(text), Err(unclean), "{text:?}");
        }
        assert_eq!(clean(b"s\0e\0c\0".to_vec()).map(|_| ()), Err(Unclean::Character(2)));
        assert_eq!(clean(vec![0xff, 0xfe, b's', 0]).map(|_| ()), Err(Unclean::NotUtf8));
    }

    proptest! {
        /// The forms that services and password generators give secrets in: hex, base64 in both alphabets, and letters
        /// and digits, with and without a prefix.
        #[test]
        fn a_usual_secret_passes(
            secret in "(whsec_|ghp_|glpat-|u\\+|dd)?([0-9a-f]{16,64}|[A-Za-z0-9]{8,64}|[A-Za-z0-9+/]{15,64}={0,2}|[A-Za-z0-9_-]{15,64}={0,2})",
        ) {
            prop_assert_eq!(cleaned(&secret).unwrap(), secret);
        }

        /// Whatever comes out can be sent in a header and compared as bytes, and cleaning it again changes nothing.
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
