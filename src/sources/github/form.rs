//! Bodies of the content type `application/x-www-form-urlencoded`: the JSON is the value of `payload`.
//!
//! A stored body is read later without its headers. So the bytes themselves show the content type.

use std::borrow::Cow;

use percent_encoding::percent_decode;

const PAYLOAD: &[u8] = b"payload=";

/// The JSON in a body: the body itself, unless it is a form.
pub(super) fn json_in(body: &[u8]) -> Cow<'_, [u8]> {
    let trimmed = body.trim_ascii();
    // No JSON value begins with a letter `p`.
    let Some(value) = trimmed.strip_prefix(PAYLOAD) else { return Cow::Borrowed(body) };
    let value = value.split(|byte| *byte == b'&').next().unwrap_or_default();
    let with_blanks: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&with_blanks).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_payload_is_decoded() {
        let body = b"payload=%7B%22a%22%3A%22b+c%2Bd%22%7D";
        assert_eq!(&*json_in(body), br#"{"a":"b c+d"}"#);
        assert_eq!(&*json_in(b"payload=%7B%7D&other=1"), b"{}");
        for json in [&br#"{"payload":"x"}"#[..], b"", b"other=1", b"[]"] {
            assert_eq!(&*json_in(json), json);
        }
    }
}
