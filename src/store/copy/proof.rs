//! Comparison of what two stores with the same rows must agree on.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::figures::ReportQuery;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::store::engine::error::ReadError;
use crate::store::engine::sql;
use crate::store::read::{FiguresReader, Reader};
use crate::store::state::reevaluate::ReevaluateSpan;

/// Changes that a reevaluation would make in both stores.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reevaluations {
    /// Number of failures and deployments that were evaluated.
    pub looked_at: usize,
    /// Number of those that would change, in the same way in both stores.
    pub would_change: usize,
    /// `true` if the stores differ in what was evaluated, or in a change.
    pub differ: bool,
}

/// Evaluates everything in both stores, and changes nothing.
pub fn compare_reevaluations(
    [source, target]: [&Reader; 2],
    policy: &Policy,
    sources: Sources,
) -> Result<Reevaluations, ReadError> {
    let (mut all, mut span) = (Reevaluations::default(), ReevaluateSpan::default());
    loop {
        let [expected, found] = [source, target].map(|reader| reader.would_change(span, policy, sources));
        let (expected, found) = (expected?, found?);
        if shown(&expected)? != shown(&found)? {
            return Ok(Reevaluations { differ: true, ..all });
        }
        all.looked_at += expected.looked_at + expected.looked_at_deployments;
        all.would_change += expected.changed.len() + expected.changed_deployments.len();
        match expected.next {
            Some(next) => span.from = next,
            None => return Ok(all),
        }
    }
}

/// The same report of both stores.
#[derive(Debug, PartialEq, Eq)]
pub struct Reports {
    /// Length of its JSON.
    pub bytes: usize,
    /// SHA-256 of its JSON.
    pub sha256: String,
    /// `true` if the stores have different reports. The others are those of the first store.
    pub differ: bool,
}

/// Computes a report of both stores.
pub fn compare_reports(
    [source, target]: [&FiguresReader; 2],
    query: &ReportQuery,
) -> Result<Reports, ReadError> {
    let [expected, found] = [source, target].map(|reader| shown(&reader.report(query)?));
    let (expected, found) = (expected?, found?);
    Ok(Reports {
        bytes: expected.len(),
        sha256: hex::encode(Sha256::digest(&expected)),
        differ: expected != found,
    })
}

fn shown(value: &impl Serialize) -> Result<Vec<u8>, ReadError> {
    serde_json::to_vec(value).map_err(|error| ReadError::Database(sql::Error::damaged(error.to_string())))
}
