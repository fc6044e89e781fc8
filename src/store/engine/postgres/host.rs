//! The hosts of a database, and connecting to one that can be used.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Socket};

use super::password_file::{self, Wanted};
use super::purpose::Purpose;
use super::runtime::runtime;
use super::tls::{Stream, Tls};
use crate::store::engine::address::PostgresAddress;
use crate::store::engine::sql::error::ErrorKind;
use crate::store::engine::sql::{Error, Result};
use crate::store::engine::wait::wait;

/// Longest wait for a connection to one host.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// Time after which a silent network counts as lost.
const SILENCE_LIMIT: Duration = Duration::from_secs(5);

/// A connection, and the part of it that moves its bytes.
type Connected = (Client, tokio_postgres::Connection<Socket, Stream>);

/// The hosts of a database.
pub(in crate::store) struct Hosts {
    /// One for each host, in the order in which they are tried.
    configs: Vec<Config>,
    /// Number of hosts at the beginning that are only read from.
    only_for_reading: usize,
    tls: Tls,
}

impl Hosts {
    /// The hosts of `store.url`.
    ///
    /// # Errors
    /// Message about a part that cannot be used.
    pub(super) fn of(address: &PostgresAddress) -> std::result::Result<Self, String> {
        let tls = Tls::trusting(address.certificate_authority.as_deref())?;
        Ok(Self { configs: configs(address, &address.url)?, only_for_reading: 0, tls })
    }

    /// The hosts of `store.read_url`, and behind them those of `store.url`: what can be read there must not depend on one
    /// server.
    ///
    /// # Errors
    /// Message about a part that cannot be used.
    pub(super) fn for_reading(address: &PostgresAddress) -> std::result::Result<Self, String> {
        let mut hosts = Self::of(address)?;
        if let Some(url) = &address.read_url {
            let first = configs(address, url)?;
            hosts.only_for_reading = first.len();
            hosts.configs.splice(..0, first);
        }
        Ok(hosts)
    }
    /// Connects to the first host that can be used: for writing, one that is no standby.
    pub(super) fn connect(&self, purpose: Purpose) -> Result<Connected> {
        let runtime = runtime().map_err(|error| Error::new(ErrorKind::Refused, error.to_string()))?;
        let (mut messages, mut kind) = (Vec::new(), ErrorKind::NoLogin);
        for (index, config) in self.configs.iter().enumerate() {
            let (mut config, tls) = (config.clone(), self.tls.clone());
            if purpose != Purpose::Read {
                config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            }
            let host = host_of(&config);
            let connecting = runtime.spawn(async move { config.connect(tls).await });
            let abort = connecting.abort_handle();
            let error = match wait(connecting, CONNECT_LIMIT) {
                Some(Ok(Ok(connected))) => {
                    if (1..=index).contains(&self.only_for_reading) {
                        let reason = messages.join("; ");
                        tracing::warn!(
                            "reading from store.url, because store.read_url cannot be used: {reason}"
                        );
                    }
                    return Ok(connected);
                }
                Some(Ok(Err(error))) => error.into(),
                Some(Err(error)) => Error::new(ErrorKind::Lost, error.to_string()),
                None => {
                    abort.abort();
                    let seconds = CONNECT_LIMIT.as_secs();
                    Error::new(ErrorKind::Lost, format!("the server has not answered for {seconds} s"))
                }
            };
            if !error.is_no_login() {
                // Whatever the reason is, another try may have a connection.
                kind = ErrorKind::Lost;
            }
            messages.push(if self.configs.len() > 1 {
                format!("{host}: {error}")
            } else {
                error.to_string()
            });
        }
        Err(Error::new(kind, messages.join("; ")))
    }
}

/// The configuration of each host of a URL.
fn configs(address: &PostgresAddress, url: &str) -> std::result::Result<Vec<Config>, String> {
    let wanted: Config = ordinary_mode(url).parse().map_err(|error: tokio_postgres::Error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}")
    })?;
    let hosts = wanted.get_hosts();
    if hosts.is_empty() {
        return Err("its URL names no host".to_owned());
    }
    let says_mode = url.contains("sslmode=");
    let each = hosts.iter().enumerate().map(|(index, host)| {
        let port = wanted.get_ports().get(index).or(wanted.get_ports().first()).copied().unwrap_or(5432);
        one_host(&wanted, (host, port), says_mode, address)
    });
    Ok(each.collect())
}

/// Name of the only host, for people.
fn host_of(config: &Config) -> String {
    match config.get_hosts() {
        [Host::Tcp(name)] => name.clone(),
        [Host::Unix(folder)] => folder.display().to_string(),
        _ => String::new(),
    }
}

/// The URL with modes of TLS that are known here: the certificate is verified in any case.
fn ordinary_mode(url: &str) -> String {
    url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require")
}

fn one_host(
    wanted: &Config,
    (host, port): (&Host, u16),
    says_mode: bool,
    address: &PostgresAddress,
) -> Config {
    let mut config = Config::new();
    let user = wanted.get_user().unwrap_or(&address.user).to_owned();
    let database = wanted.get_dbname().unwrap_or(&user).to_owned();
    let (name, is_here) = match host {
        Host::Tcp(name) => (name.as_str(), is_this_machine(name)),
        Host::Unix(_) => ("localhost", true),
    };
    match host {
        Host::Tcp(name) => config.host(name),
        Host::Unix(folder) => config.host_path(folder),
    };
    let mode = match wanted.get_ssl_mode() {
        SslMode::Disable => SslMode::Disable,
        // Within a machine nobody listens, and many servers have a certificate there that nobody can verify.
        _ if is_here && !says_mode => SslMode::Disable,
        _ => SslMode::Require,
    };
    let given = address.password.as_ref().map(|password| password.expose_secret().to_owned());
    let wanted_password = Wanted { host: name, port, database: &database, user: &user };
    let from_file = || password_file::password(address.password_file.as_deref()?, &wanted_password);
    if let Some(password) = given.or_else(from_file) {
        config.password(password);
    }
    if let Some(options) = wanted.get_options() {
        config.options(options);
    }
    config
        .port(port)
        .user(&user)
        .dbname(&database)
        .ssl_mode(mode)
        .application_name(format!("pagerduty-dora {}", address.replica))
        // Of several addresses of a host, each try begins with another one.
        .load_balance_hosts(LoadBalanceHosts::Random)
        .connect_timeout(CONNECT_LIMIT)
        .tcp_user_timeout(SILENCE_LIMIT)
        .keepalives_idle(SILENCE_LIMIT)
        .keepalives_interval(Duration::from_secs(1))
        .keepalives_retries(3);
    config
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
