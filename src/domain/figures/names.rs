//! Names as numbers: there are few of them, and a million failures and deployments that bear them.

use std::sync::Arc;

use foldhash::HashMap;

/// The number of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NameId(u32);

/// The names that were met, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, NameId>,
    texts: Vec<Arc<str>>,
}

impl Names {
    /// The number of this name, which may be a new one.
    pub(super) fn number(&mut self, text: &str) -> NameId {
        if let Some(name) = self.numbers.get(text) {
            return *name;
        }
        let (name, text) = (NameId(number(self.texts.len())), Arc::<str>::from(text));
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, name);
        name
    }

    /// Text that a name stands for.
    pub(super) fn text(&self, NameId(number): NameId) -> &str {
        &self.texts[number as usize]
    }
}

/// The number of what is added next to so many.
#[expect(clippy::expect_used, reason = "what has 2^32 of them ran out of memory before")]
pub(super) fn number(len: usize) -> u32 {
    u32::try_from(len).expect("fewer than 2^32 are computed from")
}
