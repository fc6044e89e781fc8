//! Texts in answers and metrics for webhooks that are not stored.

use crate::sources::RefusalReason;

/// Status of a webhook whose body did not arrive completely.
pub(super) const INCOMPLETE: &str = "incomplete";

/// Status of a webhook that could not be stored at the moment.
pub(super) const UNAVAILABLE: &str = "unavailable";

/// The `error` of the answer to a refused webhook.
pub(super) fn error(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NoSignature
        | RefusalReason::MalformedSignature
        | RefusalReason::WrongSignature
        | RefusalReason::Legacy => "unverified",
        RefusalReason::UnverifiedRetry | RefusalReason::TooLarge | RefusalReason::Encoding => reason.status(),
        RefusalReason::NoSuchPath => "not_found",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Recorded;
    use crate::telemetry::intake::STATUSES;

    /// Prometheus sees no increase in a series that begins with 1.
    #[test]
    fn every_status_of_a_webhook_begins_with_zero() {
        let recorded = [
            Recorded::Accepted,
            Recorded::AcceptedWithPlaceholderTime,
            Recorded::Duplicate,
            Recorded::Ignored,
            Recorded::Quarantined,
        ];
        let reasons = RefusalReason::ALL.iter().copied().map(RefusalReason::status);
        let answered =
            recorded.into_iter().map(Recorded::as_str).chain(reasons).chain([INCOMPLETE, UNAVAILABLE]);
        let known: std::collections::BTreeSet<_> = STATUSES.into_iter().collect();
        assert_eq!(answered.collect::<std::collections::BTreeSet<_>>(), known);
    }
}
