//! Changes that a reevaluation would make.

use super::reader::Reader;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::store::engine::error::ReadError;
use crate::store::state::merge_group::Incidents;
use crate::store::state::reevaluate::{
    ReevaluatePart, ReevaluateSpan, ReevaluatedBatch, deployment_changes, reevaluate_failures,
};

impl Reader {
    /// Finds the changes that a reevaluation would make, and makes none.
    pub fn would_change(
        &self,
        span: ReevaluateSpan,
        policy: &Policy,
        sources: Sources,
    ) -> Result<ReevaluatedBatch, ReadError> {
        let mut db = self.lock();
        let db = db.snapshot()?;
        if span.from.part == ReevaluatePart::Deployments {
            return Ok(deployment_changes(&db, sources, policy, span)?);
        }
        // Nobody waits for a reader, so there is no limit of time.
        Ok(reevaluate_failures(&Incidents { db: &db, sources }, policy, (span, None), |_, _| Ok(()))?)
    }
}
