//! `store.url` and `store.read_url`: addresses of a database of PostgreSQL.

use std::fmt;

use serde::Serialize;

use super::value::{CONTROL, read_from_text};
use crate::domain::name::trimmed;

/// Beginnings of an address.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// Parameters that are used. All others are refused, because they would have no effect.
const PARAMETERS: [&str; 6] = ["host", "port", "user", "dbname", "options", "sslmode"];

/// Largest number of hosts.
const MOST_HOSTS: usize = 16;

/// Address of a database of PostgreSQL, without a password: `postgres://user@host1,host2:5433/database?sslmode=…`.
///
/// It is read as PostgreSQL's own programs read it: they allow several hosts, which no ordinary URL has.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct StoreUrl {
    text: String,
    names_user: bool,
}

impl StoreUrl {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `true` if the address has the name of the user.
    pub const fn names_user(&self) -> bool {
        self.names_user
    }
}

read_from_text!(StoreUrl);

impl TryFrom<String> for StoreUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = trimmed(&text);
        if text.chars().any(char::is_control) {
            return Err(CONTROL.to_owned());
        }
        let Some(rest) = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
            return Err("must begin with postgres:// or postgresql://".to_owned());
        };
        let (user, rest) = rest.split_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
        if let Some(user) = user {
            check_user(user)?;
        }
        let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let hosts = before.split('/').next().unwrap_or_default();
        let parameters = parameters_of(parameters)?;
        let value = |key: &str| parameters.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        match value("host") {
            Some(_) if !hosts.is_empty() => {
                return Err(
                    "has hosts in two places: write them all before the name of the database".to_owned()
                );
            }
            Some(host) if host.is_empty() || host.contains(',') => {
                return Err(
                    "has a parameter host that is not one host: write several hosts before the name of the \
                            database, with commas between them"
                        .to_owned(),
                );
            }
            Some(_) => {}
            None if hosts.is_empty() => {
                return Err(
                    "must name a host: postgres://USER@HOST/DATABASE, or for a socket of this machine \
                            postgres://USER@/DATABASE?host=/run/postgresql"
                        .to_owned(),
                );
            }
            None => {
                let number = hosts.split(',').count();
                if number > MOST_HOSTS {
                    return Err(format!("names {number} hosts: name at most {MOST_HOSTS}"));
                }
                hosts.split(',').try_for_each(check_host)?;
            }
        }
        match value("port") {
            Some(_) if !hosts.is_empty() => {
                return Err("has a parameter port: write the port behind its host, as HOST:PORT".to_owned());
            }
            Some(port) => check_port(port)?,
            None => {}
        }
        let names_user = user.is_some() || value("user").is_some();
        Ok(Self { text: text.to_owned(), names_user })
    }
}

/// Checks what stands before the `@`.
fn check_user(user: &str) -> Result<(), String> {
    if user.contains(':') {
        return Err(
            "must not hold a password: put the password under the key password, as a secret".to_owned()
        );
    }
    if user.is_empty() {
        return Err("has no user before the @: write one, or leave the @ out".to_owned());
    }
    Ok(())
}

/// Checks one host with its port. A message does not begin with a verb if the text may be a password, because then the
/// text would be repeated.
fn check_host(host: &str) -> Result<(), String> {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, "")) => (name, None),
        Some((name, port)) => (name, Some(port.strip_prefix(':').unwrap_or_default())),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if name.is_empty() {
        return Err("has an empty host: write HOST or HOST:PORT, with commas between several".to_owned());
    }
    port.map_or(Ok(()), check_port)
}

fn check_port(port: &str) -> Result<(), String> {
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err("a port must be a number from 1 to 65535: write postgres://USER@HOST:PORT/DATABASE, with an IPv6 address \
                  in square brackets, and without a password"
            .to_owned()),
    }
}

/// Parameters, with their values as written.
fn parameters_of(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for parameter in text.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match key {
            "password" | "passfile" => {
                return Err("must not hold a password: put the password under the key password, as a secret"
                    .to_owned());
            }
            "sslrootcert" => {
                return Err(
                    "has the parameter sslrootcert: put the file under the key certificate_authority"
                        .to_owned(),
                );
            }
            // The default, which addresses of several hosts often have for other programs.
            "target_session_attrs" if value == "read-write" => {}
            "target_session_attrs" => {
                return Err("has the parameter target_session_attrs: leave it out. The program always takes a server that \
                            can be written to, and for read_url any"
                    .to_owned());
            }
            "sslmode" => check_mode(value)?,
            known if PARAMETERS.contains(&known) => {}
            _ => {
                return Err(format!(
                    "has a parameter that is not used: leave it out. Used are {}",
                    PARAMETERS.join(", ")
                ));
            }
        }
        if found.iter().any(|(other, _)| *other == key) {
            return Err(format!("has the parameter {key} twice: keep one of them"));
        }
        found.push((key, value));
    }
    Ok(found)
}

fn check_mode(mode: &str) -> Result<(), String> {
    match mode {
        "disable" | "require" | "verify-ca" | "verify-full" => Ok(()),
        "prefer" | "allow" => Err(format!(
            "has sslmode={mode}, which anybody on the way could turn into plain text: TLS is either verified \
             (sslmode=verify-full) or switched off (sslmode=disable)"
        )),
        _ => Err(
            "has an unknown sslmode: write verify-full, which is the default beyond this machine, or disable"
                .to_owned(),
        ),
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl From<StoreUrl> for String {
    fn from(url: StoreUrl) -> Self {
        url.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_hosts_and_sockets_are_read() {
        for (text, names_user) in [
            ("postgres://dora@db1,db2/dora", true),
            (" postgresql://db1 ", false),
            ("postgres://dora@db1:5433,[::1]:5434/dora?sslmode=verify-full", true),
            ("postgres:///dora?host=/run/postgresql&user=dora", true),
            ("postgres:///dora?host=/run/postgresql&port=5433", false),
            ("postgres://%2Frun%2Fpostgresql/dora?options=-csearch_path%3Dx", false),
            ("postgres://127.0.0.1/?sslmode=disable", false),
            ("postgres://db1,db2/?target_session_attrs=read-write", false),
        ] {
            let url = StoreUrl::try_from(text.to_owned()).unwrap();
            assert_eq!((url.as_str(), url.names_user()), (text.trim(), names_user));
        }
    }

    #[test]
    fn a_mistake_is_told_with_what_to_write() {
        for (text, expected) in [
            ("dora.db", "must begin with postgres://"),
            ("POSTGRES://db", "must begin with postgres://"),
            ("postgres://dora:canary@db/dora", "under the key password"),
            ("postgres://dora:@db/dora", "under the key password"),
            ("postgres://db/dora?password=canary", "under the key password"),
            ("postgres://dora:canary", "a port must be a number"),
            ("postgres://db:0/dora", "a port must be a number"),
            ("postgres://[::1]5432/dora", "a port must be a number"),
            ("postgres://::1/dora", "has an empty host"),
            ("postgres://@db/dora", "has no user before the @"),
            ("postgres://dora@/dora", "must name a host"),
            ("postgres://", "must name a host"),
            ("postgres://db1,,db2/dora", "has an empty host"),
            ("postgres:///dora?host=a,b", "is not one host"),
            ("postgres://db/dora?host=a", "in two places"),
            ("postgres://db/dora?port=5433", "behind its host"),
            ("postgres://db/dora?sslmode=prefer", "sslmode=verify-full"),
            ("postgres://db/dora?sslmode=allow", "sslmode=disable"),
            ("postgres://db/dora?sslmode=yes", "unknown sslmode"),
            ("postgres://db/dora?sslrootcert=ca.pem", "certificate_authority"),
            ("postgres://db/dora?target_session_attrs=any", "leave it out"),
            ("postgres://db/dora?connect_timeout=1", "Used are host, port"),
            ("postgres://db/dora?user=a&user=b", "twice"),
            ("postgres://db/do\tra", "control character"),
        ] {
            let message = StoreUrl::try_from(text.to_owned()).unwrap_err();
            assert!(message.contains(expected) && !message.contains("canary"), "{text}: {message}");
        }
    }
}
