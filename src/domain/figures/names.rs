//! Names as numbers, to save memory: a million failures and deployments share few names.

use std::sync::Arc;

use foldhash::HashMap;

/// The number of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NameId(u32);

/// The names that were added, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, NameId>,
    texts: Vec<Arc<str>>,
}

impl Names {
    /// The number of a name. A new name gets a new number.
    pub(super) fn number(&mut self, text: &str) -> NameId {
        if let Some(name) = self.numbers.get(text) {
            return *name;
        }
        let (name, text) = (NameId(to_u32(self.texts.len())), Arc::<str>::from(text));
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, name);
        name
    }

    /// The number of a name that was added before.
    pub(super) fn find(&self, text: &str) -> Option<NameId> {
        self.numbers.get(text).copied()
    }

    /// The text of a name.
    pub(super) fn text(&self, NameId(number): NameId) -> &str {
        &self.texts[number as usize]
    }
}

/// A length or an index as `u32`, to save memory.
#[expect(clippy::expect_used, reason = "2^32 elements do not fit into memory")]
pub(super) fn to_u32(len: usize) -> u32 {
    u32::try_from(len).expect("a list has fewer than 2^32 elements")
}
