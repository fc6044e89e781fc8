//! `store.password`: password of the database's user.

use secrecy::SecretString;

use super::store::STORE_PASSWORD;
use super::{Config, Problem};

impl Config {
    /// Reads the password of the database from where the configuration says. `None` if it says nothing.
    ///
    /// # Errors
    /// The password cannot be read.
    pub(crate) fn fetch_store_password(&self) -> Result<Option<SecretString>, Problem> {
        let password = self.store.password.as_ref().map(|secret| secret.fetch(1)).transpose();
        password.map_err(|error| self.locate(Problem::with_key(STORE_PASSWORD, error)))
    }
}
