//! The token of PagerDuty's REST API.

use secrecy::SecretString;

use super::{Config, Problem};

/// Dotted configuration key of the token.
pub(crate) const PAGERDUTY_TOKEN: &str = "pagerduty.api.token";

impl Config {
    /// Reads the token of PagerDuty's REST API from where the configuration says. `None` without `[pagerduty.api]`.
    ///
    /// # Errors
    /// The token cannot be read or used.
    pub fn fetch_pagerduty_token(&self) -> Result<Option<SecretString>, Problem> {
        let Some(api) = &self.pagerduty.api else { return Ok(None) };
        match api.token.fetch(1) {
            Ok(token) => Ok(Some(token)),
            Err(error) => Err(self.locate(Problem::with_key(PAGERDUTY_TOKEN, error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_token_is_read_and_never_shown() {
        let config = Config::parse("[pagerduty.api]\ntoken = { value = \" canary\" }\n").unwrap();
        let token = config.fetch_pagerduty_token().unwrap().unwrap();
        assert_eq!(token.expose_secret(), "canary");
        for shown in [config.show().unwrap(), format!("{config:?}"), format!("{token:?}")] {
            assert!(!shown.contains("canary"), "{shown}");
        }
        assert!(Config::default().fetch_pagerduty_token().unwrap().is_none());
    }

    #[test]
    fn a_token_that_cannot_be_read_is_reported_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "[pagerduty.api]\ntoken = { file = \"token\" }\n").unwrap();
        let config = Config::read(&file).unwrap();
        let message = config.fetch_pagerduty_token().unwrap_err().to_string();
        let path = folder.path().join("token");
        let expected = format!("{}:2: pagerduty.api.token: cannot read {}: ", file.display(), path.display());
        assert!(message.starts_with(&expected), "{message}");
        std::fs::write(path, "u+secret\n").unwrap();
        assert_eq!(config.fetch_pagerduty_token().unwrap().unwrap().expose_secret(), "u+secret");
    }
}
