//! Address of the configured store.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::{Config, Problem, StoreDurability, StoreUrl, postgres_password_file, postgres_user};
use crate::store::{Acknowledgement, PostgresAddress, StoreAddress, check_certificates};

/// Longest wait of the daemon for its database at the start: a failover of the server may be under way.
const DAEMON_LIMIT: Duration = Duration::from_mins(1);
/// Longest wait of a command for the database. A person waits for the command.
const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// Address of the store for the daemon.
///
/// # Errors
/// The password cannot be read, or no user is named.
pub(super) fn store_of_daemon(config: &Config) -> Result<StoreAddress, Problem> {
    address(config, config.fetch_store_password()?, DAEMON_LIMIT)
}

/// Address of the store for a command that changes or checks the store.
///
/// # Errors
/// The password cannot be read, or no user is named.
pub(crate) fn store_of_command(config: &Config) -> Result<StoreAddress, Problem> {
    address(config, config.fetch_store_password()?, COMMAND_LIMIT)
}

/// Address of the store for a command that only reads. It has no secrets, because the credentials of systemd are not
/// there in a shell: PostgreSQL's password file has the password, or the server asks for none.
///
/// # Errors
/// No user is named.
pub(crate) fn store_of_reading_command(config: &Config) -> Result<StoreAddress, Problem> {
    address(config, None, COMMAND_LIMIT)
}

/// Address of another store, which a command names: the URL of a database, or a file, perhaps with `sqlite:` before it. For a
/// database, what the configuration says about that of the store counts: password and certificates.
///
/// # Errors
/// The text is no such address, the password cannot be read, or no user is named.
pub(crate) fn other_store(text: &str, config: &Config) -> Result<StoreAddress, String> {
    if !text.contains("://") {
        let file = text.strip_prefix("sqlite:").unwrap_or(text);
        return if file.is_empty() { Err("names no file".to_owned()) } else { Ok(StoreAddress::from(file)) };
    }
    let url = StoreUrl::try_from(text.to_owned())?;
    let user = user_besides([&url]).ok_or(NO_USER)?;
    Ok(StoreAddress::Postgres(Arc::new(PostgresAddress {
        url: url.as_str().to_owned(),
        read_url: None,
        user,
        password: config.fetch_store_password().map_err(|problem| problem.to_string())?,
        password_file: postgres_password_file(),
        certificate_authority: config.store.certificate_authority.clone(),
        replica: host_name(),
        acknowledgement: Acknowledgement::Server,
        open_limit: COMMAND_LIMIT,
    })))
}

/// Message about a URL without a user.
const NO_USER: &str =
    "names no user, and neither $PGUSER nor $USER is set: write postgres://USER@HOST/DATABASE";

/// User for those of the URLs that name none. Empty, because it is not used, if each of them names one. `None` if one is
/// needed, and the environment has none.
fn user_besides<'a>(urls: impl IntoIterator<Item = &'a StoreUrl>) -> Option<String> {
    postgres_user().or_else(|| urls.into_iter().all(StoreUrl::names_user).then(String::new))
}

fn address(
    config: &Config,
    password: Option<SecretString>,
    open_limit: Duration,
) -> Result<StoreAddress, Problem> {
    let section = &config.store;
    let Some(url) = &section.url else {
        return match &section.path {
            Some(path) => Ok(StoreAddress::File(path.clone())),
            None => Err(config.locate(Problem::with_key("store", "has neither a path nor a url"))),
        };
    };
    if let Some(file) = &section.certificate_authority {
        check_certificates(file)
            .map_err(|message| config.locate(Problem::with_key("store.certificate_authority", message)))?;
    }
    let user = user_besides([url].into_iter().chain(&section.read_url))
        .ok_or_else(|| config.locate(Problem::with_key("store.url", NO_USER)))?;
    Ok(StoreAddress::Postgres(Arc::new(PostgresAddress {
        url: url.as_str().to_owned(),
        read_url: section.read_url.as_ref().map(|url| url.as_str().to_owned()),
        user,
        password,
        password_file: postgres_password_file(),
        certificate_authority: section.certificate_authority.clone(),
        replica: section.replica.as_ref().map_or_else(host_name, |name| name.as_str().to_owned()),
        acknowledgement: match section.durable.unwrap_or_default() {
            StoreDurability::Server => Acknowledgement::Server,
            StoreDurability::Replicated => Acknowledgement::Standby,
        },
        open_limit,
    })))
}

/// Name of this host, or of this pod.
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn database(more: &str) -> Config {
        Config::parse(&format!("[store]\nurl = \"postgres://dora@db1/dora\"\n{more}")).unwrap()
    }

    fn postgres(address: StoreAddress) -> Arc<PostgresAddress> {
        match address {
            StoreAddress::Postgres(address) => address,
            StoreAddress::File(file) => panic!("{}", file.display()),
        }
    }

    #[test]
    fn a_path_is_a_file() {
        let address = store_of_daemon(&Config::default()).unwrap();
        assert_eq!(address.file(), Some(std::path::Path::new("pagerduty-dora.db")));
    }

    #[test]
    fn only_commands_that_only_read_have_no_password() {
        let config = database("password = { value = \"canary\" }\n");
        for address in [store_of_daemon(&config), store_of_command(&config)] {
            let address = postgres(address.unwrap());
            assert_eq!(address.password.as_ref().unwrap().expose_secret(), "canary");
            assert!(!format!("{address:?}").contains("canary"));
        }
        assert!(postgres(store_of_reading_command(&config).unwrap()).password.is_none());
        let missing = database("password = { env = \"PAGERDUTY_DORA_SURELY_NOT_SET\" }\n");
        assert!(store_of_reading_command(&missing).is_ok());
        let message = store_of_daemon(&missing).unwrap_err().to_string();
        assert!(message.contains("store.password: the environment variable"), "{message}");
    }

    #[test]
    fn a_command_can_name_another_store() {
        let config = database("password = { value = \"canary\" }\n");
        let other = |text: &str| other_store(text, &config);
        for file in ["copy.db", "sqlite:copy.db"] {
            assert_eq!(other(file).unwrap().file(), Some(std::path::Path::new("copy.db")));
        }
        let address = postgres(other("postgres://me@db2/dora").unwrap());
        assert_eq!((&*address.url, address.password.is_some()), ("postgres://me@db2/dora", true));
        for (text, expected) in [
            ("", "names no file"),
            ("sqlite:", "names no file"),
            ("mysql://db/dora", "must begin with postgres://"),
            ("postgres://me:canary@db/dora", "must not hold a password"),
        ] {
            let message = other(text).unwrap_err();
            assert!(message.starts_with(expected) && !message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn a_copy_is_read_where_the_store_is_written() {
        let config = database("read_url = \"postgres://dora@db2/dora\"\npassword = { value = \"canary\" }\n");
        for (address, has_password) in
            [(store_of_command(&config), true), (store_of_reading_command(&config), false)]
        {
            let address = address.unwrap();
            let read_url = |address| postgres(address).read_url.clone();
            assert!(read_url(address.clone()).is_some() && read_url(address.primary()).is_none());
            assert_eq!(postgres(address.primary()).password.is_some(), has_password);
        }
    }

    #[test]
    fn a_replica_is_called_as_its_host_unless_it_has_a_name() {
        let named =
            postgres(store_of_daemon(&database("replica = \"a\"\ndurable = \"replicated\"\n")).unwrap());
        assert_eq!((&*named.replica, named.acknowledgement), ("a", Acknowledgement::Standby));
        let unnamed = postgres(store_of_daemon(&database("")).unwrap());
        assert!(!unnamed.replica.is_empty() && unnamed.acknowledgement == Acknowledgement::Server);
    }
}
