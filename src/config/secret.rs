//! Secrets: named in the file, fetched only where they are used, shown nowhere.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Serialize, Serializer};

use super::clean::{self, Unclean};
use super::environment;

/// No secret is that long: the file is another one.
const LONGEST_BYTES: u64 = 64 * 1024;

/// Source of a secret.
#[derive(Clone)]
pub enum Secret {
    /// An environment variable.
    Env {
        /// Its name.
        env: String,
    },
    /// A file; what is only around the secret by accident, such as a newline at its end, is not part of it.
    File {
        /// Its path.
        file: PathBuf,
    },
    /// A systemd credential.
    Credential {
        /// Its name in `$CREDENTIALS_DIRECTORY`.
        credential: String,
    },
    /// The secret itself.
    Value {
        /// It.
        value: SecretString,
    },
}

/// Reason why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Nobody set it.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// No name at all: it may be the secret itself, so it is not repeated.
    #[error(
        "{{ {0} = … }} takes the name of {1}. What stands there is not such a name (it is not repeated here: it may be \
         the secret itself)"
    )]
    NoName(&'static str, &'static str),
    /// The file cannot be read.
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        error: io::Error,
    },
    /// A folder, a pipe or a device.
    #[error("{path} is not a file", path = .0.display())]
    NotAFile(PathBuf),
    /// Too long for a secret.
    #[error("{path} is longer than 64 KiB: is it the right file?", path = .0.display())]
    TooLong(PathBuf),
    /// Not started by systemd, or without this credential.
    #[error("no credential {0}: $CREDENTIALS_DIRECTORY is not set (systemd sets it: LoadCredential=)")]
    NoCredentials(String),
    /// It is there, and empty.
    #[error("{0} is empty")]
    Empty(String),
    /// It holds what no secret has, so that nothing would ever match it.
    #[error("{place} {unclean}")]
    Unclean {
        /// Source of the secret.
        place: String,
        /// Reason why it is no secret.
        unclean: Unclean,
    },
    /// So short that it can be guessed.
    #[error("{place} is {length} bytes long: a signing secret has at least {min}")]
    TooShort {
        /// Source of the secret.
        place: String,
        /// Length of the secret.
        length: usize,
        /// Least length.
        min: usize,
    },
}

impl Secret {
    /// Fetches it, from wherever it comes in the same way: without what is around it by accident, and refused where
    /// something odd is in it or it is shorter than `min_bytes`.
    ///
    /// # Errors
    /// It cannot be had, is empty, or cannot be meant.
    pub fn fetch(&self, min_bytes: usize) -> Result<SecretString, SecretError> {
        use secrecy::ExposeSecret;
        let bytes = match self {
            Self::Env { env } => from_environment(env)?,
            Self::File { file } => read(file)?,
            Self::Credential { credential } => read(&credential_file(credential)?)?,
            Self::Value { value } => value.expose_secret().as_bytes().to_vec(),
        };
        let unclean = |unclean| SecretError::Unclean { place: self.to_string(), unclean };
        let secret = clean::clean(bytes).map_err(unclean)?;
        match secret.expose_secret().len() {
            0 => Err(SecretError::Empty(self.to_string())),
            length if length < min_bytes => {
                Err(SecretError::TooShort { place: self.to_string(), length, min: min_bytes })
            }
            _ => Ok(secret),
        }
    }

    /// Warning about an unwise secret.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Value { .. } => Some(
                "a secret stands in the configuration file itself: { file = … } keeps it apart".to_owned(),
            ),
            Self::File { file } => {
                let mode = std::fs::metadata(file).ok()?.permissions().mode();
                (mode & 0o004 != 0).then(|| format!("{} can be read by everybody", file.display()))
            }
            Self::Env { .. } | Self::Credential { .. } => None,
        }
    }

    /// Relative files start at `folder`.
    pub(super) fn resolve_path(&mut self, folder: &Path) {
        if let Self::File { file } = self {
            *file = folder.join(&*file);
        }
    }
}

/// POSIX: letters, digits and underscores, no digit first. A text that is no name may be the secret itself, so it is not
/// shown.
fn from_environment(name: &str) -> Result<Vec<u8>, SecretError> {
    let is_name = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(SecretError::NoName("env", "an environment variable"));
    }
    let value = environment::variable(name).ok_or_else(|| SecretError::NotSet(name.to_owned()))?;
    Ok(value.into_vec())
}

fn credential_file(name: &str) -> Result<PathBuf, SecretError> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err(SecretError::NoName("credential", "a systemd credential"));
    }
    match environment::variable("CREDENTIALS_DIRECTORY") {
        Some(folder) => Ok(Path::new(&folder).join(name)),
        None => Err(SecretError::NoCredentials(name.to_owned())),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, SecretError> {
    let unreadable = |error| SecretError::Unreadable { path: file.to_owned(), error };
    // Asked first: to open a pipe that nobody writes to takes for ever.
    if !std::fs::metadata(file).map_err(unreadable)?.is_file() {
        return Err(SecretError::NotAFile(file.to_owned()));
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    opened.take(LONGEST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST_BYTES {
        return Err(SecretError::TooLong(file.to_owned()));
    }
    Ok(bytes)
}

impl fmt::Display for Secret {
    /// Shows the source, never the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { env } => write!(f, "the environment variable {env}"),
            Self::File { file } => write!(f, "the file {}", file.display()),
            Self::Credential { credential } => write!(f, "the credential {credential}"),
            Self::Value { .. } => f.write_str("the value in the configuration"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Env { env } => map.serialize_entry("env", env)?,
            Self::File { file } => map.serialize_entry("file", file)?,
            Self::Credential { credential } => map.serialize_entry("credential", credential)?,
            Self::Value { .. } => map.serialize_entry("value", "[redacted]")?,
        }
        map.end()
    }
}
