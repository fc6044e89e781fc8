//! Failures that others name by their ids.

use std::collections::BTreeMap;

use super::reader::Reader;
use crate::domain::failure::Failure;
use crate::domain::id::FailureId;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql::params;
use crate::store::facts::subject_key::failure_key;
use crate::store::state::stored_failure::failure;

impl Reader {
    /// The known failures among these ids, by id. The deployments that caused them are not read.
    pub fn failures_of_ids<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Failure>, ReadError> {
        const SQL: &str = "SELECT evaluated FROM failure
            WHERE failure_key = ?1 AND failure_id = ?2 AND evaluated IS NOT NULL";
        let db = self.lock();
        let mut found = BTreeMap::new();
        for id in ids {
            let Some(failure_id) = FailureId::parse(id).filter(|_| !found.contains_key(id)) else { continue };
            if let Some(failure) =
                db.one(SQL, params![failure_key(&failure_id), id], |row| failure(row.text(0)?))?
            {
                found.insert(id.to_owned(), failure);
            }
        }
        Ok(found)
    }
}
