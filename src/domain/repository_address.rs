//! Addresses of repositories, for comparisons.

/// `true` if two addresses are those of the same repository: the scheme, the login name, letter case, `.git` and slashes
/// at the end do not matter. GitHub and GitLab ignore the case of names.
///
/// ```
/// # use pagerduty_dora::domain::repository_address::is_same_repository;
/// assert!(is_same_repository("https://github.com/acme/checkout", "git@GitHub.com:acme/checkout.git"));
/// assert!(!is_same_repository("https://github.com/acme/checkout", "https://github.com/acme/cart"));
/// ```
pub fn is_same_repository(one: &str, other: &str) -> bool {
    comparable(one) == comparable(other)
}

/// Full name of the repository at an address, if it is on this host. In lower case.
///
/// ```
/// # use pagerduty_dora::domain::repository_address::name_on;
/// assert_eq!(name_on("git@github.com:Acme/checkout.git", "github.com").as_deref(), Some("acme/checkout"));
/// assert_eq!(name_on("https://gitlab.com/acme/checkout", "github.com"), None);
/// ```
pub fn name_on(address: &str, host: &str) -> Option<String> {
    let address = comparable(address);
    let name = address.strip_prefix(&host.to_lowercase())?.strip_prefix('/')?;
    name.contains('/').then(|| name.to_owned())
}

fn comparable(address: &str) -> String {
    let address = address.trim();
    let (has_scheme, rest) = address.split_once("://").map_or((false, address), |(_, rest)| (true, rest));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let host_end = rest.find('/').unwrap_or(rest.len());
    let without_user = rest[..host_end].rfind('@').map_or(rest, |at| &rest[at + 1..]);
    // git's short form for ssh: `git@host:path`.
    let has_user = without_user.len() < rest.len();
    let path =
        if !has_scheme && has_user { without_user.replacen(':', "/", 1) } else { without_user.to_owned() };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    path.trim_end_matches('/').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_the_same() {
        for other in [
            "https://github.com/acme/checkout",
            "https://github.com/acme/checkout/",
            "https://github.com/acme/checkout.git",
            "https://github.com/acme/checkout.git/",
            "http://GitHub.com/Acme/Checkout",
            "https://me@github.com/acme/checkout",
            "ssh://git@github.com/acme/checkout.git",
            "git@github.com:acme/checkout.git",
            "github.com/acme/checkout",
            " https://github.com/acme/checkout?tab=readme#top",
        ] {
            assert!(is_same_repository("https://github.com/acme/checkout", other), "{other}");
        }
        for other in [
            "",
            "https://github.com/acme/checkout2",
            "https://github.com/checkout",
            "https://gitlab.com/acme/checkout",
            "https://github.com:8443/acme/checkout",
        ] {
            assert!(!is_same_repository("https://github.com/acme/checkout", other), "{other}");
        }
    }
}
