//! Failures that others name by their ids.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::reader::Reader;
use crate::domain::failure::Failure;
use crate::domain::id::FailureId;
use crate::store::engine::error::ReadError;
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
        let mut statement = db.prepare_cached(SQL)?;
        let mut found = BTreeMap::new();
        for id in ids {
            let Some(failure_id) = FailureId::parse(id).filter(|_| !found.contains_key(id)) else { continue };
            let parameters = params![failure_key(&failure_id), id];
            let text: Option<String> = statement.query_row(parameters, |row| row.get(0)).optional()?;
            if let Some(text) = text {
                found.insert(id.to_owned(), failure(&text)?);
            }
        }
        Ok(found)
    }
}
