//! Log of the reconciliation: a line for each look that found something, and for the first of several failed ones.

use super::look::{Look, ReconcileError};

/// State of the log lines.
#[derive(Debug, Default)]
pub(super) struct ReconcileLog {
    has_failed: bool,
    /// Number of incidents that the last look left out.
    skipped: usize,
}

impl ReconcileLog {
    /// Logs a look.
    pub(super) fn note(&mut self, looked: &Result<Look, ReconcileError>) {
        match looked {
            Ok(look) => {
                if std::mem::take(&mut self.has_failed) {
                    tracing::info!("PagerDuty's REST API answers again");
                }
                self.note_repairs(look);
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

    fn note_repairs(&mut self, look: &Look) {
        let Look { incidents, repaired, events, .. } = *look;
        let skipped = look.skipped.len();
        if events > 0 {
            tracing::info!(
                incidents,
                repaired,
                events,
                "PagerDuty's REST API told of {events} events that no webhook has told: {repaired} incidents were \
                 repaired. `pagerduty-dora explain` marks these events"
            );
        }
        if let Some((incident, error)) = look.skipped.first_key_value()
            && skipped != self.skipped
        {
            tracing::warn!(
                %incident,
                error,
                skipped,
                "some incidents could not be read from PagerDuty's REST API: they are asked for again with the next look. \
                 This is the first"
            );
        }
        self.skipped = skipped;
    }
}
