//! Lists that must not be empty.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Message about an empty list.
pub(super) const EMPTY: &str = "must not be an empty list: list at least one value, or leave the key out";

/// A list that is left out or has at least one value. An empty list in the file is refused: some readers take it for
/// "all", others for "none".
#[derive(Clone)]
pub struct List<T>(Vec<T>);

impl<T> List<T> {
    /// `true` if the list was left out.
    pub(super) fn is_left_out(&self) -> bool {
        self.0.is_empty()
    }

    /// The values.
    pub(super) fn values(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::deserialize(deserializer)?;
        if values.is_empty() {
            return Err(serde::de::Error::custom(EMPTY));
        }
        Ok(Self(values))
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
