//! Changes that a reevaluation would make.

use super::reader::Reader;
use crate::domain::policy::Policy;
use crate::domain::source::Sources;
use crate::store::engine::error::ReadError;
use crate::store::state::merge_group::Incidents;
use crate::store::state::reevaluate::{
    ReevaluatePart, ReevaluateSpan, ReevaluatedBatch, batch, deployment_batch,
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
            return Ok(deployment_batch(&db, sources, policy, span)?.0);
        }
        Ok(batch(&Incidents { db: &db, sources }, policy, span, |_, _| Ok(()))?)
    }
}
