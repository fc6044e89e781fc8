//! Addresses without the credentials that people write into them.
//!
//! A pipeline clones by `https://token@host`, and tells of the repository by the same address. The credentials
//! before the `@`, and tokens in the query, must not be stored, shown or sent.

use std::borrow::Cow;

/// Schemes whose user is a login name (`ssh://git@host`): a credential only together with a password.
const LOGIN_SCHEMES: [&str; 7] = ["ssh", "git+ssh", "ssh+git", "svn+ssh", "sftp", "scp", "rsync"];

/// Parts of the names of parameters that hold credentials.
const SECRET_NAMES: [&str; 11] = [
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "signature",
    "credential",
    "auth",
    "apikey",
    "jwt",
    "sig",
];

/// Prefixes of tokens of GitHub and GitLab. Login names do not begin with them.
const TOKEN_PREFIXES: [&str; 8] = ["ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "gldt-"];

/// The longest login name (Linux: `useradd`).
const LONGEST_LOGIN_NAME: usize = 32;

/// An address without its credentials. `git@host:path` and `ssh://git@host` have none.
pub fn without_credentials(address: &str) -> Cow<'_, str> {
    if has_scheme(address) {
        return text_without_credentials(address);
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

/// The text before the next `://`, how many letters at its end are the scheme, and the text after.
fn next_address(text: &str) -> Option<(&str, usize, &str)> {
    let at = text.find("://").into_iter().chain(text.find(":\\\\")).min()?;
    let before = &text[..at];
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let scheme_length = before.len() - before.trim_end_matches(is_of_scheme).len();
    Some((before, scheme_length, &text[at + 3..]))
}

fn has_scheme(text: &str) -> bool {
    text.contains("://") || text.contains(":\\\\")
}

/// Letters that stand in no address.
fn ends_address(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '`' | '|' | '^')
}

const fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// Text after a scheme, without its user and password.
fn without_user<'a>(scheme: &str, address: &'a str) -> &'a str {
    let address_after_slashes = address.trim_start_matches(is_slash);
    let Some(at) = user_end(address_after_slashes) else { return address };
    let (user, rest) = address_after_slashes.split_at(at.start);
    let is_login = LOGIN_SCHEMES.iter().any(|login| scheme.eq_ignore_ascii_case(login));
    if is_login && is_login_name(user) { address } else { &rest[at.length..] }
}

/// End of a user: the place of the sign that ends it (`@` or `%40`), and the sign's length.
struct UserEnd {
    start: usize,
    length: usize,
}

/// The last `@` before the path. A password may hold a slash that should have been written `%2F`: then what stands
/// before the slash is no host and port.
fn user_end(address: &str) -> Option<UserEnd> {
    let path = address.find(|c| is_slash(c) || matches!(c, '?' | '#')).unwrap_or(address.len());
    let (host, _) = address.split_at(path);
    let encoded = || host.rfind("%40").map(|start| UserEnd { start, length: 3 });
    if let Some(end) = last_at(host).or_else(encoded) {
        return Some(end);
    }
    let (_, port) = host.rsplit_once(':')?;
    let is_port = port.bytes().all(|digit| digit.is_ascii_digit()) || port.ends_with(']');
    if is_port { None } else { last_at(address) }
}

fn last_at(text: &str) -> Option<UserEnd> {
    text.rfind('@').map(|start| UserEnd { start, length: 1 })
}

/// End of the credentials of an address without a scheme.
fn credentials_end(address: &str, may_be_ssh: bool) -> Option<usize> {
    let path = address.find(is_slash).unwrap_or(address.len());
    let encoded = || address[..path].rfind("%40").map(|start| UserEnd { start, length: 3 });
    // `https:/user:password@host` lacks a slash.
    let lacks_slash = || {
        let scheme = address.get(..path)?.strip_suffix(':')?;
        let is_web = ["http", "https", "ftp"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
        is_web.then(|| last_at(address)).flatten()
    };
    let end = last_at(&address[..path]).or_else(encoded).or_else(lacks_slash)?;
    let (user, host) = (&address[..end.start], &address[end.start + end.length..]);
    let is_ssh = may_be_ssh && is_login_name(user) && (user == "git" || host.contains(':'));
    (!is_ssh).then_some(end.start + end.length)
}

/// `true` if this can be the name that somebody logs in with, and not a password or token.
fn is_login_name(user: &str) -> bool {
    user.len() <= LONGEST_LOGIN_NAME
        && !user.contains(':')
        && !user.contains('%')
        && !TOKEN_PREFIXES.iter().any(|prefix| user.starts_with(prefix))
}

/// An address without the parameters of its query and fragment that hold credentials.
fn without_secret_parameters(address: &str) -> Cow<'_, str> {
    let Some(at) = address.find(['?', '#']) else { return Cow::Borrowed(address) };
    let (path, parameters) = address.split_at(at);
    if !parameters.split(['?', '#', '&', ';']).any(is_secret_parameter) {
        return Cow::Borrowed(address);
    }
    let mut clean = path.to_owned();
    let mut separator = '?';
    for parameter in parameters.split_inclusive(['?', '#', '&', ';']) {
        let next = parameter.chars().next_back().filter(|c| matches!(c, '?' | '#' | '&' | ';'));
        let parameter = next.map_or(parameter, |next| parameter.strip_suffix(next).unwrap_or(parameter));
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

/// `true` if a parameter's name says that its value is a credential. An encoded name hides something.
fn is_secret_parameter(parameter: &str) -> bool {
    let Some((name, _)) = parameter.split_once('=') else { return false };
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    name.contains('%') || plain.ends_with("key") || SECRET_NAMES.iter().any(|secret| plain.contains(secret))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_are_cut() {
        for (address, expected) in [
            ("https://ci:S3CR3T@git.example.org/acme/a.git", "https://git.example.org/acme/a.git"),
            ("https://S3CR3T@git.example.org/acme/a.git", "https://git.example.org/acme/a.git"),
            ("HTTPS://S3CR3T@Git.Example.org/a", "HTTPS://Git.Example.org/a"),
            ("git+https://x-token-auth:S3CR3T@host/a", "git+https://host/a"),
            ("https://ci:S3%40CR3T@host:8443/a", "https://host:8443/a"),
            ("https://ci:S3@CR3T@host/a", "https://host/a"),
            ("https://ci:S3/CR3T@host/a", "https://host/a"),
            ("https://ci:S3#CR3T@host/a", "https://host/a"),
            ("https://ci%3AS3CR3T%40host/a", "https://host/a"),
            ("https:\\\\ci:S3CR3T@host/a", "https:\\\\host/a"),
            ("https:///ci:S3CR3T@host/a", "https://host/a"),
            ("https:/ci:S3CR3T@host/a", "host/a"),
            ("//ci:S3CR3T@host/a", "//host/a"),
            ("ci:S3CR3T@host/a", "host/a"),
            ("ci:S3CR3T@host:a", "host:a"),
            ("S3CR3T@host/a", "host/a"),
            ("ghp_S3CR3T@github.com:acme/a", "github.com:acme/a"),
            ("ssh://git:S3CR3T@host/a", "ssh://host/a"),
            ("ssh://ghp_S3CR3T@host/a", "ssh://host/a"),
            ("https://host/a?private_token=S3CR3T", "https://host/a"),
            ("https://host/a?a=1&access_token=S3CR3T&b=2#c", "https://host/a?a=1&b=2#c"),
            ("https://host/a?X-Amz-Signature=S3CR3T&v=1", "https://host/a?v=1"),
            ("https://host/a?private%5Ftoken=S3CR3T", "https://host/a"),
            ("https://host/a#access_token=S3CR3T", "https://host/a"),
            ("host/a?token=S3CR3T", "host/a"),
            ("https://host/?to=https://ci:S3CR3T@other/a", "https://host/?to=https://other/a"),
        ] {
            assert_eq!(without_credentials(address), expected, "{address}");
            assert_eq!(without_credentials(expected), expected, "{address}: once is enough");
        }
    }

    #[test]
    fn what_holds_no_credentials_stays() {
        for address in [
            "git@github.com:acme/checkout.git",
            "deploy@git.example.org:acme/checkout.git",
            "ssh://git@github.com/acme/checkout.git",
            "ssh://git@github.com:2222/acme/checkout.git",
            "GIT+SSH://git@host/a",
            "https://github.com/acme/checkout",
            "https://host:8443/a?b=c#d",
            "https://[::1]:8443/@acme/checkout",
            "https://host/@acme/checkout@1.2",
            "https://acme.pagerduty.com/incidents/Q1?utm_source=webhook",
            "file:///srv/git/checkout.git",
            "/srv/git/checkout.git",
            "acme/checkout",
            "ghcr.io/acme/checkout:1.2@sha256:0123",
            "",
        ] {
            assert!(
                matches!(without_credentials(address), Cow::Borrowed(same) if same == address),
                "{address}"
            );
        }
    }

    #[test]
    fn addresses_within_a_text_are_cleaned() {
        for (text, expected) in [
            (
                "no route to postgres://app:S3CR3T@db:5432/shop (5 tries)",
                "no route to postgres://db:5432/shop (5 tries)",
            ),
            ("\"https://S3CR3T@a/b\", <https://c:S3CR3T@d>", "\"https://a/b\", <https://d>"),
            ("repo:https://S3CR3T@a/b", "repo:https://a/b"),
            ("ask ops@acme.org about https://a/b", "ask ops@acme.org about https://a/b"),
            ("5 % of checkouts fail: a@b", "5 % of checkouts fail: a@b"),
        ] {
            assert_eq!(text_without_credentials(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_password_survives(
            scheme in "(https?|HTTPS|git\\+https|ftp|ssh|postgres)",
            user in "[a-z]{0,6}",
            password in "[!-~&&[^\"<>`|^]]{0,8}S3CR3T[!-~&&[^\"<>`|^]]{0,8}",
            path in "[a-z/]{0,9}",
        ) {
            let address = format!("{scheme}://{user}:{password}@host/{path}");
            let clean = without_credentials(&address);
            // A `?` or `#` in a password that is not encoded may make the host end there: nobody can tell.
            let is_plain = !password.contains(['/', '\\', '?', '#']) && !password.contains("://");
            prop_assert!(!is_plain || !clean.contains("S3CR3T"), "{address} -> {clean}");
            let in_text = text_without_credentials(&address);
            prop_assert!(!is_plain || !in_text.contains("S3CR3T"), "{address} -> {in_text}");
        }

        #[test]
        fn any_text_can_be_cleaned(text in "[\\PC@:/?#&=%\\\\]{0,40}") {
            let _ = (without_credentials(&text), text_without_credentials(&text));
        }
    }
}
