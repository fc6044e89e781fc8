//! PostgreSQL's password file. Each line is `host:port:database:user:password`.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Connection that a password is looked for.
pub(super) struct Wanted<'a> {
    /// Host; `localhost` for a socket of this machine.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password in a file. `None` if there is no such file, or none of its lines is for this connection.
pub(super) fn password(file: &Path, wanted: &Wanted<'_>) -> Option<String> {
    match std::fs::read_to_string(file) {
        Ok(_) if is_open_to_others(file) => {
            // As PostgreSQL's own programs do.
            tracing::warn!(
                "the password file {} is not used, because others may read it: give it the mode 0600",
                file.display()
            );
            None
        }
        Ok(text) => find(&text, wanted),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!("cannot read the password file {}: {error}", file.display());
            None
        }
    }
}

fn is_open_to_others(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o077 != 0)
}

fn find(file: &str, Wanted { host, port, database, user }: &Wanted<'_>) -> Option<String> {
    let wanted = [*host, &port.to_string(), *database, *user];
    file.lines().filter(|line| !line.starts_with('#')).map(fields).find_map(|fields| {
        let (password, names) = fields.split_last()?;
        let is_for = names.len() == wanted.len()
            && names.iter().zip(wanted).all(|(name, wanted)| name == "*" || name == wanted);
        is_for.then(|| password.clone())
    })
}

/// The fields of a line. A backslash makes the next character a part of the field.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut characters) = (vec![String::new()], line.chars());
    while let Some(character) = characters.next() {
        let part = match character {
            ':' => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next(),
            other => Some(other),
        };
        if let (Some(field), Some(part)) = (fields.last_mut(), part) {
            field.push(part);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_for_a_connection_has_its_password() {
        let file = "# comment\ndb1:5432:dora:other:no\ndb1:*:dora:dora:a\\:b\\\\c\n*:*:*:*:last";
        let find = |host, user| find(file, &Wanted { host, port: 5433, database: "dora", user });
        assert_eq!(find("db1", "dora").unwrap(), "a:b\\c");
        assert_eq!(find("db2", "dora").unwrap(), "last");
        assert!(
            super::find("db1:5432:dora", &Wanted { host: "db1", port: 5432, database: "dora", user: "x" })
                .is_none()
        );
    }
}
