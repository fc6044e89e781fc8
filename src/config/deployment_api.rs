//! Tokens of the APIs that deployments are read from, and the repositories that the configuration names.

use secrecy::SecretString;

use super::{Config, DeploymentSection, Problem, Secret};

/// Dotted configuration key of the token of GitHub's API.
pub(crate) const GITHUB_TOKEN: &str = "github.token";

impl Config {
    /// The token of each API that deployments are read from, with its key.
    pub(crate) fn deployment_tokens(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        let github = self.github.as_ref().and_then(|section| section.token.as_ref());
        github.map(|token| (GITHUB_TOKEN, token)).into_iter()
    }

    /// The same tokens as mutable references.
    pub(super) fn deployment_tokens_mut(&mut self) -> impl Iterator<Item = &mut Secret> {
        self.github.iter_mut().filter_map(|section| section.token.as_mut())
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

    /// Full names of the repositories that `[[deployment]]` tables for this source name, without those with `*`.
    pub(crate) fn repositories_in_tables(&self, source: &str) -> Vec<String> {
        let tables = self.deployment.iter().map(DeploymentSection::to_domain);
        let of_source =
            tables.filter(|table| table.source.is_empty() || table.source.iter().any(|name| name == source));
        let names = of_source.flat_map(|table| table.repository);
        names.filter_map(|glob| glob.single().map(str::to_owned)).collect()
    }

    /// Addresses of the repositories that `[[service]]` entries name.
    pub(crate) fn repositories_of_services(&self) -> Vec<String> {
        self.policy().services.into_iter().filter_map(|entry| entry.repository_url).collect()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_token_is_read_and_never_shown() {
        let config = Config::parse("[github]\ntoken = { value = \"canary\" }\npoll = \"5m\"\n").unwrap();
        let token = config.fetch_deployment_token(GITHUB_TOKEN).unwrap().unwrap();
        assert_eq!(token.expose_secret(), "canary");
        for shown in [config.show().unwrap(), format!("{config:?}")] {
            assert!(!shown.contains("canary"), "{shown}");
        }
        let without = Config::parse("[github]\n").unwrap();
        assert!(without.fetch_deployment_token(GITHUB_TOKEN).unwrap().is_none());
        assert!(Config::default().fetch_deployment_token(GITHUB_TOKEN).unwrap().is_none());
    }

    #[test]
    fn mistakes_are_reported_with_their_place() {
        for (lines, expected) in [
            ("token = \"canary\"", "line 2: github.token: must name the source of the secret"),
            ("poll = \"59s\"", "line 2: github.poll: \"59s\" must be from 1m to 24h"),
            (
                "url = \"https://github.com\"",
                "line 2: github.url: \"https://github.com\" is not the address of",
            ),
        ] {
            let message = Config::parse(&format!("[github]\n{lines}\n")).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("canary") && message.lines().count() == 1, "{message}");
        }
    }

    #[test]
    fn repositories_without_a_star_are_named() {
        let config = Config::parse(
            "[[service]]\npagerduty = \"P1\"\nrepository_url = \"https://github.com/acme/cart\"\n\
             [[deployment]]\nname = \"a\"\nrepository = [\"acme/shop\", \"acme/*\"]\n\
             [[deployment]]\nname = \"b\"\nsource = [\"gitlab\"]\nrepository = [\"acme/other\"]\n",
        )
        .unwrap();
        assert_eq!(config.repositories_in_tables("github"), ["acme/shop"]);
        assert_eq!(config.repositories_in_tables("gitlab"), ["acme/shop", "acme/other"]);
        assert_eq!(config.repositories_of_services(), ["https://github.com/acme/cart"]);
    }
}
