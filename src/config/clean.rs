//! Secrets as people leave them in files and variables, and what of that is the secret.

use std::fmt;

use secrecy::SecretString;

use crate::domain::name::trimmed;

/// Reason why a text is no secret. Tells the kind and the place, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclean {
    /// Bytes that are no text, as in a file that another program wrote in UTF-16.
    NotUtf8,
    /// The same quotation mark at both ends.
    Quoted,
    /// A line `NAME=secret`, as files of environment variables have it.
    Assignment,
    /// A backslash and an `n` at the end, where a newline was meant.
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
            Self::Assignment => f.write_str("begins with NAME=: leave only what is behind it"),
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
    let is_quoted = |mark: char| secret.len() > 1 && secret.starts_with(mark) && secret.ends_with(mark);
    if ['"', '\'', '`'].into_iter().any(is_quoted) {
        return Err(Unclean::Quoted);
    }
    let is_odd = |c: char| !(c.is_ascii_graphic() || c == ' ');
    if let Some(place) = secret.chars().position(is_odd) {
        return Err(Unclean::Character(place + 1));
    }
    if secret.ends_with("\\n") || secret.ends_with("\\r") {
        return Err(Unclean::Escaped);
    }
    if is_assignment(secret) {
        return Err(Unclean::Assignment);
    }
    Ok(secret.to_owned().into())
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// A name of an environment variable with an underscore in it, and something behind the sign: padding of base64 is
/// never followed by anything else.
fn is_assignment(secret: &str) -> bool {
    let line = secret.strip_prefix("export ").unwrap_or(secret);
    line.split_once('=').is_some_and(|(name, value)| {
        name.contains('_')
            && name.starts_with(|first: char| first.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            && !value.trim_start_matches('=').is_empty()
    })
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
        assert_eq!(cleaned("a key with spaces").unwrap(), "a key with spaces");
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
        ] {
            assert_eq!(cleaned(text), Err(unclean), "{text:?}");
        }
        assert_eq!(clean(b"s\0e\0c\0".to_vec()).map(|_| ()), Err(Unclean::Character(2)));
        assert_eq!(clean(vec![0xff, 0xfe, b's', 0]).map(|_| ()), Err(Unclean::NotUtf8));
    }

    proptest! {
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
