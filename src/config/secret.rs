//! Secrets. The configuration names their sources. Secrets are read from there when they are used, and never shown.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Serialize, Serializer};

use super::clean::{self, NotASecret};
use super::environment;

/// Greatest size of a file with a secret. A larger file is the wrong one.
const LONGEST_BYTES: u64 = 64 * 1024;

/// Source of a secret.
#[derive(Clone)]
pub enum Secret {
    /// An environment variable.
    Env {
        /// Its name.
        env: String,
    },
    /// A file. Blanks and line ends around the secret are not part of it.
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
        /// The secret.
        value: SecretString,
    },
}

/// Reason why a secret cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// The text cannot be a name. It may be the secret itself, so it is not repeated.
    #[error(
        "{{ {0} = … }} takes the name of {1}. The text there cannot be one (it is not repeated here, because it may be \
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
    /// The process has no credentials of systemd.
    #[error("no credential {0}: $CREDENTIALS_DIRECTORY is not set (systemd sets it: LoadCredential=)")]
    NoCredentials(String),
    /// The source is empty.
    #[error("{0} is empty")]
    Empty(String),
    /// The text cannot be a secret, so that no signature or key would match it.
    #[error("{place} {mistake}")]
    NotASecret {
        /// Source of the secret.
        place: String,
        /// Reason why it is no secret.
        mistake: NotASecret,
    },
    /// Not a signing token of Standard Webhooks.
    #[error(
        "{0} is no signing token, which is whsec_ and at least 16 bytes in base64, as GitLab shows it. A webhook's secret \
         token belongs in gitlab.tokens"
    )]
    NotASigningToken(String),
    /// Too short for a secret: it could be guessed.
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
    /// Fetches the secret, without blanks and line ends around it.
    ///
    /// # Errors
    /// The source cannot be read, is empty, holds a text that cannot be a secret, or one shorter than `min_bytes`.
    pub fn fetch(&self, min_bytes: usize) -> Result<SecretString, SecretError> {
        use secrecy::ExposeSecret;
        let bytes = match self {
            Self::Env { env } => from_environment(env)?,
            Self::File { file } => read(file)?,
            Self::Credential { credential } => read(&credential_file(credential)?)?,
            Self::Value { value } => value.expose_secret().as_bytes().to_vec(),
        };
        let mistake = |mistake| SecretError::NotASecret { place: self.to_string(), mistake };
        let secret = clean::clean(bytes).map_err(mistake)?;
        match secret.expose_secret().len() {
            0 => Err(SecretError::Empty(self.to_string())),
            length if length < min_bytes => {
                Err(SecretError::TooShort { place: self.to_string(), length, min: min_bytes })
            }
            _ => Ok(secret),
        }
    }

    /// Warning about a secret that others can read.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Value { .. } => Some(
                "the secret is in the configuration file itself: { file = … } keeps it in a file of its own"
                    .to_owned(),
            ),
            Self::File { file } => {
                let mode = std::fs::metadata(file).ok()?.permissions().mode();
                (mode & 0o004 != 0)
                    .then(|| format!("{} can be read by everybody: chmod o-r it", file.display()))
            }
            Self::Env { .. } | Self::Credential { .. } => None,
        }
    }

    /// Turns a credential into the file of its name in `folder`.
    pub(super) fn load_credential(&mut self, folder: &Path) {
        if let Self::Credential { credential } = self
            && is_credential_name(credential)
        {
            *self = Self::File { file: folder.join(credential) };
        }
    }

    /// Makes a relative path start at `folder`.
    pub(super) fn resolve_path(&mut self, folder: &Path) {
        if let Self::File { file } = self {
            *file = folder.join(&*file);
        }
    }
}

/// Value of an environment variable. Names have letters, digits and underscores, and no digit first (POSIX). Another
/// text may be the secret itself, so it is not shown.
fn from_environment(name: &str) -> Result<Vec<u8>, SecretError> {
    if !is_variable_name(name) {
        return Err(SecretError::NoName("env", "an environment variable"));
    }
    let value = environment::variable(name).ok_or_else(|| SecretError::NotSet(name.to_owned()))?;
    Ok(value.into_vec())
}

/// `true` for a name that POSIX allows for an environment variable.
fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `true` for the name of a file in a folder.
fn is_credential_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}

fn credential_file(name: &str) -> Result<PathBuf, SecretError> {
    if !is_credential_name(name) {
        return Err(SecretError::NoName("credential", "a systemd credential"));
    }
    match environment::variable("CREDENTIALS_DIRECTORY") {
        Some(folder) => Ok(Path::new(&folder).join(name)),
        None => Err(SecretError::NoCredentials(name.to_owned())),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, SecretError> {
    let unreadable = |error| SecretError::Unreadable { path: file.to_owned(), error };
    // Checked first: opening a pipe without a writer blocks for ever.
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
            // Another text may be the secret itself.
            Self::Env { env } if !is_variable_name(env) => map.serialize_entry("env", "[redacted]")?,
            Self::Env { env } => map.serialize_entry("env", env)?,
            Self::File { file } => map.serialize_entry("file", file)?,
            Self::Credential { credential } => map.serialize_entry("credential", credential)?,
            Self::Value { .. } => map.serialize_entry("value", "[redacted]")?,
        }
        map.end()
    }
}
