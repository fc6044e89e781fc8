//! Log of the reconciliation: a line for each look that found something, and for the first of several failed ones.

use super::look::{Look, LookError};
use crate::domain::timestamp::Timestamp;

/// State of the log lines.
#[derive(Debug, Default)]
pub(super) struct ReconcileLog {
    has_failed: bool,
}

impl ReconcileLog {
    /// Logs a look.
    pub(super) fn note(&mut self, looked: &Result<(Timestamp, Look), LookError>) {
        match looked {
            Ok((_, look)) => {
                if std::mem::take(&mut self.has_failed) {
                    tracing::info!("PagerDuty's REST API answers again");
                }
                let Look { incidents, repaired, events } = look;
                if *events > 0 {
                    tracing::info!(
                        incidents,
                        repaired,
                        events,
                        "PagerDuty's REST API told of events whose webhooks have not come: {repaired} incidents were \
                         repaired. `pagerduty-dora explain` marks these events"
                    );
                }
            }
            Err(error) if !std::mem::replace(&mut self.has_failed, true) => {
                tracing::warn!(
                    %error,
                    "incidents could not be read from PagerDuty's REST API: webhooks that were lost are not repaired \
                     until it answers. The next attempt follows within a minute"
                );
            }
            Err(error) => tracing::debug!(%error, "PagerDuty's REST API still cannot be read"),
        }
    }
}
