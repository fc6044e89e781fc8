//! The user and the password before the host of an address.

/// Schemes whose user is a login name (`ssh://git@host`): a credential only together with a password.
const LOGIN_SCHEMES: [&str; 7] = ["ssh", "git+ssh", "ssh+git", "svn+ssh", "sftp", "scp", "rsync"];

/// Prefixes of tokens (GitHub, GitLab, Atlassian, Amazon, JWT). Login names do not begin with them.
const TOKEN_PREFIXES: [&str; 17] = [
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "glcbt-",
    "glptt-",
    "glrt-",
    "ATBB",
    "ATCTT",
    "ATATT",
    "AKIA",
    "ASIA",
    "eyJ",
];

/// Schemes that are recognised with a mistyped `://`.
const WEB_SCHEMES: [&str; 6] = ["http", "https", "ftp", "git", "git+http", "git+https"];

/// The longest login name (Linux: `useradd`).
const LONGEST_LOGIN_NAME: usize = 32;

/// Finds the next `://` or `:\\`. Returns the text before it, the length of the scheme at the end of that text, and
/// the text after it.
pub(super) fn next_address(text: &str) -> Option<(&str, usize, &str)> {
    let at = text.find("://").into_iter().chain(text.find(":\\\\")).min()?;
    let before = &text[..at];
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let scheme_length = before.len() - before.trim_end_matches(is_of_scheme).len();
    Some((before, scheme_length, &text[at + 3..]))
}

pub(super) const fn is_slash(c: char) -> bool {
    matches!(c, '/' | '\\')
}

/// Removes the user and password from the text after a scheme.
pub(super) fn without_user<'a>(scheme: &str, address: &'a str) -> &'a str {
    let address_after_slashes = address.trim_start_matches(is_slash);
    let Some(at) = user_end(address_after_slashes) else { return address };
    let (user, rest) = address_after_slashes.split_at(at.start);
    let is_login = LOGIN_SCHEMES.iter().any(|login| scheme.eq_ignore_ascii_case(login));
    if is_login && is_login_name(user) { address } else { &rest[at.length..] }
}

/// End of the user and password: position and length of the character that ends them (`@` or `%40`).
struct UserEnd {
    start: usize,
    length: usize,
}

/// Finds the last `@` before the path. A password may contain a slash that should have been written `%2F`. Then the
/// text before the slash is not a host and port, and the last `@` of the whole address counts.
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

/// Finds the last `@`. Its full-width and small forms count, too: browsers and resolvers read them as `@`.
fn last_at(text: &str) -> Option<UserEnd> {
    let (start, at) = text.rmatch_indices(['@', '\u{ff20}', '\u{fe6b}']).next()?;
    Some(UserEnd { start, length: at.len() })
}

/// End of the credentials of an address without a scheme.
pub(super) fn credentials_end(address: &str, may_be_ssh: bool) -> Option<usize> {
    let path = address.find(is_slash).unwrap_or(address.len());
    let encoded = || address[..path].rfind("%40").map(|start| UserEnd { start, length: 3 });
    // `https:/user:password@host` lacks a slash, `https//…` lacks the colon. After `//`, any text may be an address.
    let mistyped = || {
        let (word, rest) = address.split_at(path);
        let word = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_web = WEB_SCHEMES.iter().any(|web| word.eq_ignore_ascii_case(web));
        if !is_web && !rest.starts_with("//") {
            return None;
        }
        let after_slashes = rest.trim_start_matches(|c: char| is_slash(c) || c.is_whitespace());
        let end = user_end(after_slashes)?;
        Some(UserEnd { start: address.len() - after_slashes.len() + end.start, ..end })
    };
    let end = last_at(&address[..path]).or_else(encoded).or_else(mistyped)?;
    let (user, host) = (&address[..end.start], &address[end.start + end.length..]);
    let is_ssh = may_be_ssh && is_login_name(user) && (user == "git" || host.contains(':'));
    (!is_ssh).then_some(end.start + end.length)
}

/// `true` if a text can be a login name, not a password or token.
fn is_login_name(user: &str) -> bool {
    user.len() <= LONGEST_LOGIN_NAME
        && !user.contains([':', '%', '@'])
        && !TOKEN_PREFIXES.iter().any(|prefix| user.starts_with(prefix))
        && !looks_generated(user)
}

/// `true` if a text looks generated: long, letters and digits only, at least one digit, and capital letters or at least
/// four digits.
fn looks_generated(user: &str) -> bool {
    let count = |is: fn(&u8) -> bool| user.bytes().filter(is).count();
    let digits = count(u8::is_ascii_digit);
    user.len() >= 16
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && digits > 0
        && (count(u8::is_ascii_uppercase) > 0 || digits >= 4)
}
