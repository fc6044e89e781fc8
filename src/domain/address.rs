//! Addresses without the credentials that people write into them.
//!
//! A pipeline that clones from `https://token@host` often reports the repository by the same address. The credentials
//! before the `@`, and tokens in the query, must not be stored, shown or sent.

mod parameters;
mod user;

use std::borrow::Cow;

use self::parameters::without_secret_parameters;
use self::user::{credentials_end, is_slash, next_address, without_user};

/// Removes the credentials from an address. The login name in `git@host:path` or `ssh://git@host` is not a credential.
pub fn without_credentials(address: &str) -> Cow<'_, str> {
    if has_scheme(address) {
        // The whole text is one address. Its password may contain characters that end an address within a text.
        let whole = next_address(address).and_then(|(before, scheme_length, after)| {
            let clean = without_user(&before[before.len() - scheme_length..], after);
            (clean.len() < after.len()).then(|| format!("{}{clean}", &address[..address.len() - after.len()]))
        });
        return match whole {
            Some(whole) => Cow::Owned(text_without_credentials(&whole).into_owned()),
            None => text_without_credentials(address),
        };
    }
    // Without a scheme: `user:password@host/path`, `token@host/path`, or git's form for ssh, `user@host:path`.
    let without_slashes = address.trim_start_matches(is_slash);
    let slashes = &address[..address.len() - without_slashes.len()];
    let rest = credentials_end(without_slashes, slashes.is_empty())
        .map_or(without_slashes, |end| &without_slashes[end..]);
    let clean = without_secret_parameters(rest);
    if matches!(clean, Cow::Borrowed(clean) if clean.len() == without_slashes.len()) {
        return Cow::Borrowed(address);
    }
    Cow::Owned(format!("{slashes}{clean}"))
}

/// Removes the credentials from every address in a text.
pub fn text_without_credentials(text: &str) -> Cow<'_, str> {
    if !has_scheme(text) || has_no_credentials(text) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, scheme_length, after)) = next_address(rest) {
        let (address, following) = after.split_at(after.find(ends_address).unwrap_or(after.len()));
        // The query of an address may contain another address.
        let own_length =
            next_address(address).map_or(address.len(), |(before, length, _)| before.len() - length);
        let (address, following) =
            if own_length < address.len() { after.split_at(own_length) } else { (address, following) };
        let scheme = &before[before.len() - scheme_length..];
        clean.push_str(before);
        clean.push_str(&rest[before.len()..rest.len() - after.len()]);
        clean.push_str(&without_secret_parameters(without_user(scheme, address)));
        rest = following;
    }
    clean.push_str(rest);
    if clean.len() == text.len() { Cow::Borrowed(text) } else { Cow::Owned(clean) }
}

fn has_scheme(text: &str) -> bool {
    text.contains("://") || text.contains(":\\\\")
}

/// `true` for most addresses: a user ends with `@`, perhaps percent-encoded, and parameters begin with a separator.
/// Webhooks have many addresses, and this is cheaper than reading them. Other characters may look alike, so they are read.
fn has_no_credentials(text: &str) -> bool {
    text.is_ascii() && !text.contains(['@', '%', '?', '#', '&', ';'])
}

/// `true` for characters that end an address within a text.
fn ends_address(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '`' | '|' | '^')
}

#[cfg(test)]
mod tests;
