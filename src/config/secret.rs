//! Secrets: named in the file, fetched only where they are used, shown nowhere.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};

/// Where a secret is to be had.
#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "expected { env = NAME }, { file = PATH }, \
    { credential = NAME } or { value = \"…\" }"
)]
pub enum Secret {
    /// An environment variable.
    Env {
        /// Its name.
        env: String,
    },
    /// A file; one newline at its end is not part of the secret.
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

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Nobody set it.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// The file cannot be read.
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Not started by systemd, or without this credential.
    #[error("no credential {0}: $CREDENTIALS_DIRECTORY is not set (systemd sets it: LoadCredential=)")]
    NoCredentials(String),
    /// It is there, and empty.
    #[error("{0} is empty")]
    Empty(String),
    /// So short that it can be guessed.
    #[error("{place} is {length} bytes long: a signing secret has at least {min}")]
    TooShort {
        /// Which.
        place: String,
        /// How long it is.
        length: usize,
        /// How long it has to be.
        min: usize,
    },
}

impl Secret {
    /// Fetches it; shorter than `min_bytes` is refused.
    pub fn fetch(&self, min_bytes: usize) -> Result<SecretString, SecretError> {
        use secrecy::ExposeSecret;
        let secret: SecretString = match self {
            Self::Env { env } => environment(env).ok_or_else(|| SecretError::NotSet(env.clone()))?.into(),
            Self::File { file } => read(file)?,
            Self::Credential { credential } => match environment("CREDENTIALS_DIRECTORY") {
                Some(folder) => read(&Path::new(&folder).join(credential))?,
                None => return Err(SecretError::NoCredentials(credential.clone())),
            },
            Self::Value { value } => value.clone(),
        };
        match secret.expose_secret().len() {
            0 => Err(SecretError::Empty(self.to_string())),
            length if length < min_bytes => {
                Err(SecretError::TooShort { place: self.to_string(), length, min: min_bytes })
            }
            _ => Ok(secret),
        }
    }

    /// What about it is unwise, if anything.
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

/// The one place outside `main` that reads the environment.
#[expect(clippy::disallowed_methods, reason = "this is config")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read(file: &Path) -> Result<SecretString, SecretError> {
    let unreadable = |error| SecretError::Unreadable { path: file.to_owned(), error };
    let mut text = std::fs::read_to_string(file).map_err(unreadable)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text.into())
}

impl fmt::Display for Secret {
    /// Where it is, never what it is.
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
