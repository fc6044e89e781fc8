//! Parameters of an address that hold credentials.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::user::{credentials_end, is_slash, next_address, without_user};

/// Texts that mark a parameter as a credential if its name contains one of them.
const SECRET_NAMES: [&str; 16] = [
    "token",
    "secret",
    "password",
    "passphrase",
    "passwd",
    "pwd",
    "signature",
    "credential",
    "auth",
    "apikey",
    "accesskey",
    "bearer",
    "session",
    "jwt",
    "sig",
    "sessid",
];

/// Names that mark a parameter as a credential. The whole name is compared, because harmless names contain these
/// texts (`path`, `country_code`).
const WHOLE_SECRET_NAMES: [&str; 8] = ["pass", "pat", "code", "otp", "totp", "sas", "sid", "pin"];

/// Characters that separate parameters.
const SEPARATORS: [char; 4] = ['?', '#', '&', ';'];

/// Maximum number of times that a parameter is decoded. A parameter is encoded once for each address around it.
const MAX_DECODINGS: usize = 4;

/// Removes the parameters that hold credentials from the path (`;jsessionid=`), query and fragment of an address.
pub(super) fn without_secret_parameters(address: &str) -> Cow<'_, str> {
    let Some(at) = address.find(SEPARATORS) else { return Cow::Borrowed(address) };
    let query = address.find(['?', '#']).unwrap_or(address.len());
    let (path, parameters) = address.split_at(query);
    let is_hidden = |parameter: &str| is_secret_parameter(parameter);
    let is_secret_path = path[at.min(path.len())..].split(['/', ';', '&']).any(is_hidden);
    if !is_secret_path && !parameters.split(SEPARATORS).any(is_hidden) {
        return Cow::Borrowed(address);
    }
    let mut clean = if is_secret_path { clean_path(path) } else { path.to_owned() };
    let mut separator = '?';
    for parameter in parameters.split_inclusive(SEPARATORS) {
        let next = parameter.chars().next_back().filter(|c| SEPARATORS.contains(c));
        let parameter = parameter.trim_end_matches(SEPARATORS);
        if !parameter.is_empty() && !is_secret_parameter(parameter) {
            clean.push(separator);
            clean.push_str(parameter);
            separator = '&';
        }
        if let Some(next @ ('?' | '#')) = next {
            separator = next;
        }
    }
    Cow::Owned(clean)
}

fn clean_path(path: &str) -> String {
    let clean = |segment: &str| {
        let parts = segment.split([';', '&']).enumerate();
        let kept = parts.filter(|(index, part)| *index == 0 || !is_secret_parameter(part));
        kept.map(|(_, part)| part).collect::<Vec<_>>().join(";")
    };
    path.split('/').map(clean).collect::<Vec<_>>().join("/")
}

/// `true` if a parameter's name marks its value as a credential, or if its value contains one. A parameter with an
/// encoded name counts as a credential.
fn is_secret_parameter(parameter: &str) -> bool {
    is_secret(parameter, MAX_DECODINGS)
}

fn is_secret(parameter: &str, decodings_left: usize) -> bool {
    let Some((name, value)) = parameter.split_once(['=', ':']) else {
        return contains_credential(parameter, decodings_left);
    };
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    name.contains('%')
        || plain.ends_with("key")
        || WHOLE_SECRET_NAMES.contains(&plain.as_str())
        || SECRET_NAMES.iter().any(|secret| plain.contains(secret))
        || has_user(value)
        || contains_credential(value, decodings_left)
}

/// `true` if a value, once decoded, is an address with credentials or has parameters that are credentials.
fn contains_credential(value: &str, decodings_left: usize) -> bool {
    let decoded = percent_decode_str(value).decode_utf8_lossy();
    if decoded == value {
        return false;
    }
    // A value that is encoded more often counts as a credential.
    let Some(decodings_left) = decodings_left.checked_sub(1) else { return true };
    has_user(&decoded)
        || decoded.split(SEPARATORS).any(|part| part != value && is_secret(part, decodings_left))
}

/// `true` if a value is an address with a user and a password, or with a user after `//`. `false` for a mail address.
///
/// Parameters of the address are not examined here. The caller examines each of them once, so that the work stays
/// proportional to the length.
fn has_user(value: &str) -> bool {
    if let Some((before, scheme_length, after)) = next_address(value) {
        return without_user(&before[before.len() - scheme_length..], after).len() < after.len();
    }
    let host = value.trim_start_matches(is_slash);
    let has_password = || host.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    (value.contains("//") || has_password()) && credentials_end(host, host.len() == value.len()).is_some()
}
