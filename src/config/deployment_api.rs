//! Tokens of the APIs that deployments are read from, and the repositories that the configuration names.

use secrecy::SecretString;

use super::{Config, DeploymentSection, Problem, Secret};

/// Dotted configuration key of the token of GitHub's API.
pub(crate) const GITHUB_TOKEN: &str = "github.token";
/// Dotted configuration key of the token of GitLab's API.
pub(crate) const GITLAB_TOKEN: &str = "gitlab.token";

/// Repositories that `[[deployment]]` tables name, as one source sees them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TableRepositories {
    /// Full names of repositories of this source.
    pub(crate) certain: Vec<String>,
    /// Full names of repositories that may be of another source: their tables name no source, and several APIs are read.
    pub(crate) possible: Vec<String>,
}

impl Config {
    /// The token of each API that deployments are read from, with its key.
    pub(crate) fn deployment_tokens(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        let github = self.github.as_ref().and_then(|section| section.token.as_ref());
        let gitlab = self.gitlab.as_ref().and_then(|section| section.token.as_ref());
        let github = github.map(|token| (GITHUB_TOKEN, token));
        github.into_iter().chain(gitlab.map(|token| (GITLAB_TOKEN, token)))
    }

    /// The same tokens as mutable references.
    pub(super) fn deployment_tokens_mut(&mut self) -> impl Iterator<Item = &mut Secret> {
        let github = self.github.iter_mut().filter_map(|section| section.token.as_mut());
        github.chain(self.gitlab.iter_mut().filter_map(|section| section.token.as_mut()))
    }

    /// Reads the token under this key from where the configuration says. `None` if there is none.
    ///
    /// # Errors
    /// The token cannot be read.
    pub(crate) fn fetch_deployment_token(&self, key: &str) -> Result<Option<SecretString>, Problem> {
        let Some((_, token)) = self.deployment_tokens().find(|(other, _)| *other == key) else {
            return Ok(None);
        };
        match token.fetch(1) {
            Ok(token) => Ok(Some(token)),
            Err(error) => Err(self.locate(Problem::with_key(key, error))),
        }
    }

    /// The repositories that `[[deployment]]` tables name for this source, without those with `*`.
    pub(crate) fn repositories_in_tables(&self, source: &str) -> TableRepositories {
        let mut found = TableRepositories::default();
        let is_only_api = self.deployment_tokens().nth(1).is_none();
        for table in self.deployment.iter().map(DeploymentSection::to_domain) {
            let names = table.repository.iter().filter_map(|glob| glob.single().map(str::to_owned));
            if table.source.iter().any(|name| name == source) {
                found.certain.extend(names);
            } else if table.source.is_empty() {
                let names = names.filter(|name| may_be_of(source, name));
                if is_only_api { found.certain.extend(names) } else { found.possible.extend(names) }
            }
        }
        found
    }

    /// Addresses of the repositories that `[[service]]` entries name.
    pub(crate) fn repositories_of_services(&self) -> Vec<String> {
        self.policy().services.into_iter().filter_map(|entry| entry.repository_url).collect()
    }
}

/// `false` if the source cannot have a repository of this name: those of GitHub are in no groups.
fn may_be_of(source: &str, name: &str) -> bool {
    source != "github" || name.matches('/').count() == 1
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_tokens_are_read_and_never_shown() {
        for (section, key) in [("github", GITHUB_TOKEN), ("gitlab", GITLAB_TOKEN)] {
            let text = format!("[{section}]\ntoken = {{ value = \"canary\" }}\npoll = \"5m\"\n");
            let config = Config::parse(&text).unwrap();
            let token = config.fetch_deployment_token(key).unwrap().unwrap();
            assert_eq!(token.expose_secret(), "canary");
            for shown in [config.show().unwrap(), format!("{config:?}")] {
                assert!(!shown.contains("canary"), "{shown}");
            }
            let without = Config::parse(&format!("[{section}]\n")).unwrap();
            assert!(without.fetch_deployment_token(key).unwrap().is_none());
            assert!(Config::default().fetch_deployment_token(key).unwrap().is_none());
        }
    }

    #[test]
    fn mistakes_are_reported_with_their_place() {
        for (section, lines, expected) in [
            ("github", "token = \"canary\"", "token: must name the source of the secret"),
            ("github", "poll = \"59s\"", "poll: \"59s\" must be from 1m to 24h"),
            ("github", "url = \"https://github.com\"", "url: \"https://github.com\" is not the address of"),
            ("gitlab", "token = \"canary\"", "token: must name the source of the secret"),
            ("gitlab", "poll = \"25h\"", "poll: \"25h\" must be from 1m to 24h"),
            ("gitlab", "url = \"gitlab.com\"", "url: \"gitlab.com\" is not a URL"),
        ] {
            let message = Config::parse(&format!("[{section}]\n{lines}\n")).unwrap_err().to_string();
            assert!(message.starts_with(&format!("line 2: {section}.{expected}")), "{message}");
            assert!(!message.contains("canary") && message.lines().count() == 1, "{message}");
        }
    }

    #[test]
    fn repositories_without_a_star_are_named() {
        const TABLES: &str = "[[service]]\npagerduty = \"P1\"\nrepository_url = \"https://github.com/acme/cart\"\n\
             [[deployment]]\nname = \"a\"\nrepository = [\"acme/shop\", \"acme/*\", \"acme/web/shop\"]\n\
             [[deployment]]\nname = \"b\"\nsource = [\"gitlab\"]\nrepository = [\"acme/other\"]\n";
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let of = |config: &Config, source| {
            let TableRepositories { certain, possible } = config.repositories_in_tables(source);
            (certain, possible)
        };
        let config = Config::parse(TABLES).unwrap();
        assert_eq!(of(&config, "github"), (names(&["acme/shop"]), names(&[])));
        assert_eq!(of(&config, "gitlab"), (names(&["acme/shop", "acme/web/shop", "acme/other"]), names(&[])));
        assert_eq!(config.repositories_of_services(), ["https://github.com/acme/cart"]);
        let token = "token = { value = \"canary\" }\n";
        let both = Config::parse(&format!("{TABLES}[github]\n{token}[gitlab]\n{token}")).unwrap();
        assert_eq!(of(&both, "github"), (names(&[]), names(&["acme/shop"])));
        assert_eq!(of(&both, "gitlab"), (names(&["acme/other"]), names(&["acme/shop", "acme/web/shop"])));
    }
}
