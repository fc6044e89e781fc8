//! Deployments that others name by their ids.

use std::collections::BTreeMap;

use super::reader::Reader;
use crate::domain::deployment::Deployment;
use crate::store::engine::error::ReadError;
use crate::store::facts::deployment::of_id;

impl Reader {
    /// The known deployments among these ids, by id.
    pub fn deployments_of_ids<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Deployment>, ReadError> {
        let db = self.lock();
        let mut found = BTreeMap::new();
        for id in ids {
            if !found.contains_key(id)
                && let Some(stored) = of_id(&db, id)?
            {
                found.insert(id.to_owned(), stored.deployment);
            }
        }
        Ok(found)
    }
}
