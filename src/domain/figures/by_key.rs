//! Deployments by their keys, for a million lookups.

use foldhash::HashMap;

use super::deployment_ref::DeploymentRef;

/// Number of keys of a page, as a power of two.
const PAGE_BITS: u32 = 8;
const PAGE: usize = 1 << PAGE_BITS;
const INDEX_MASK: i64 = (1 << PAGE_BITS) - 1;

/// The place of each deployment, by its key. Keys of one period are close together: in pages, a deployment takes eight
/// bytes, a third of a hash table, and few pages are looked up.
#[derive(Debug, Default)]
pub(super) struct DeploymentsByKey {
    pages: HashMap<i64, Box<[DeploymentRef; PAGE]>>,
    len: usize,
}

impl DeploymentsByKey {
    /// Adds a deployment, or replaces the one with the same key.
    pub(super) fn insert(&mut self, key: i64, deployment: DeploymentRef) {
        let (page, index) = place(key);
        let page = self.pages.entry(page).or_insert_with(|| Box::new([DeploymentRef::NONE; PAGE]));
        self.len += usize::from(page[index] == DeploymentRef::NONE);
        page[index] = deployment;
    }

    /// The deployment with this key.
    pub(super) fn get(&self, key: i64) -> Option<DeploymentRef> {
        let (page, index) = place(key);
        let deployment = self.pages.get(&page)?[index];
        (deployment != DeploymentRef::NONE).then_some(deployment)
    }

    /// Number of deployments.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

/// Number of the page, and index within it.
#[expect(clippy::cast_sign_loss, reason = "the index is below 256")]
const fn place(key: i64) -> (i64, usize) {
    (key >> PAGE_BITS, (key & INDEX_MASK) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_place_of_its_own() {
        let mut by_key = DeploymentsByKey::default();
        let keys = [0, 1, 255, 256, 257, -1, -256, -257, i64::MAX, i64::MIN, 1 << 40];
        for (kind, key) in (0..).zip(keys) {
            assert_eq!(by_key.get(key), None);
            by_key.insert(key, DeploymentRef { kind, index_in_timeline: 7 });
        }
        by_key.insert(1, DeploymentRef { kind: 1, index_in_timeline: 7 });
        assert_eq!(by_key.len(), keys.len());
        for (kind, key) in (0..).zip(keys) {
            assert_eq!(by_key.get(key), Some(DeploymentRef { kind, index_in_timeline: 7 }), "{key}");
        }
    }
}
