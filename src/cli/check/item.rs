//! Items of `check`.

use std::fmt;

/// Result of checking an item.
pub(super) enum Finding {
    /// The item is in order.
    Ok(String),
    /// The daemon can run, but probably not as intended.
    Warn(String),
    /// The daemon can start, but deliveries or requests would fail.
    Failed(String),
    /// The daemon cannot start.
    Wrong(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Ok(detail) | Self::Warn(detail) | Self::Failed(detail) | Self::Wrong(detail)) = self;
        f.write_str(detail)
    }
}

/// Item that was checked, and the result.
pub(super) struct Item {
    pub(super) name: String,
    pub(super) finding: Finding,
}

impl Item {
    pub(super) fn new(name: impl Into<String>, finding: Finding) -> Self {
        Self { name: name.into(), finding }
    }

    /// Item that is either in order or wrong.
    pub(super) fn tried(name: impl Into<String>, result: Result<String, String>) -> Self {
        Self::new(name, result.map_or_else(Finding::Wrong, Finding::Ok))
    }
}
