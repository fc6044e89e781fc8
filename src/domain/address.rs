//! Addresses without the credentials that people write into them.
//!
//! A pipeline clones by `https://token@host`, and tells of the repository by the same address. The credentials
//! before the `@`, and tokens in the query, must not be stored, shown or sent.

mod parameters;
mod user;

use std::borrow::Cow;

use self::parameters::without_secret_parameters;
use self::user::{credentials_end, is_slash, next_address, without_user};

/// An address without its credentials. `git@host:path` and `ssh://git@host` have none.
pub fn without_credentials(address: &str) -> Cow<'_, str> {
    if has_scheme(address) {
        // The whole text is one address: its user may hold signs that end an address elsewhere.
        let whole = next_address(address).and_then(|(before, scheme_length, after)| {
            let clean = without_user(&before[before.len() - scheme_length..], after);
            (clean.len() < after.len()).then(|| format!("{}{clean}", &address[..address.len() - after.len()]))
        });
        return match whole {
            Some(whole) => Cow::Owned(text_without_credentials(&whole).into_owned()),
            None => text_without_credentials(address),
        };
    }
    // Without a scheme: `user:password@host/path`, `token@host/path`, or what git reads as ssh, `user@host:path`.
    let without_slashes = address.trim_start_matches(is_slash);
    let slashes = &address[..address.len() - without_slashes.len()];
    let rest = credentials_end(without_slashes, slashes.is_empty())
        .map_or(without_slashes, |end| &without_slashes[end..]);
    let shown = without_secret_parameters(rest);
    if matches!(shown, Cow::Borrowed(shown) if shown.len() == without_slashes.len()) {
        return Cow::Borrowed(address);
    }
    Cow::Owned(format!("{slashes}{shown}"))
}

/// A text without the credentials of the addresses in it.
pub fn text_without_credentials(text: &str) -> Cow<'_, str> {
    if !has_scheme(text) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, scheme_length, after)) = next_address(rest) {
        let (address, following) = after.split_at(after.find(ends_address).unwrap_or(after.len()));
        // Another address may stand in the query of this one.
        let own = next_address(address).map_or(address.len(), |(before, length, _)| before.len() - length);
        let (address, following) =
            if own < address.len() { after.split_at(own) } else { (address, following) };
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

/// Letters that stand in no address.
fn ends_address(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '`' | '|' | '^')
}

#[cfg(test)]
mod tests;
