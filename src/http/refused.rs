//! The reasons for which a webhook is refused, in words for its sender, the log, the metrics and the dashboard.

use crate::pagerduty::signature::SignatureError;

/// A reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// There is no signature.
    NoSignature,
    /// There is a signature header, and no `v1` signature in it.
    MalformedSignature,
    /// It was signed with a secret that is not configured here.
    WrongSignature,
    /// The same; it is answered 503, so that PagerDuty sends it again.
    UnverifiedRetry,
    /// It is a V1 or V2 webhook.
    Legacy,
    /// It is longer than 512 KiB.
    TooLarge,
    /// It was sent compressed, or otherwise encoded.
    Encoding,
    /// It came to another path.
    NoSuchPath,
}

/// Status of a webhook whose body did not come to its end.
pub(super) const INCOMPLETE: &str = "incomplete";

/// Status of a webhook that could not be kept just now.
pub(super) const UNAVAILABLE: &str = "unavailable";

impl Reason {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::NoSignature,
        Self::MalformedSignature,
        Self::WrongSignature,
        Self::UnverifiedRetry,
        Self::Legacy,
        Self::TooLarge,
        Self::Encoding,
        Self::NoSuchPath,
    ];

    /// The place in [`Self::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The value of the metric's label.
    pub(super) const fn status(self) -> &'static str {
        match self {
            Self::NoSignature => "no_signature",
            Self::MalformedSignature => "malformed_signature",
            Self::WrongSignature => "wrong_signature",
            Self::UnverifiedRetry => "unverified_retry",
            Self::Legacy => "legacy",
            Self::TooLarge => "too_large",
            Self::Encoding => "unsupported_encoding",
            Self::NoSuchPath => "no_such_path",
        }
    }

    /// The `error` of the answer.
    pub(super) const fn error(self) -> &'static str {
        match self {
            Self::NoSignature | Self::MalformedSignature | Self::WrongSignature | Self::Legacy => {
                "unverified"
            }
            Self::UnverifiedRetry | Self::TooLarge | Self::Encoding => self.status(),
            Self::NoSuchPath => "not_found",
        }
    }

    /// The reason as a sentence without its full stop.
    pub(super) fn why(self) -> String {
        match self {
            Self::NoSignature => capitalized(SignatureError::Missing),
            Self::MalformedSignature => capitalized(SignatureError::Malformed),
            Self::WrongSignature | Self::UnverifiedRetry => capitalized(SignatureError::Mismatch),
            Self::Legacy => "This is a V1 or V2 webhook, which is not signed".to_owned(),
            Self::TooLarge => "The body has more than 512 KiB".to_owned(),
            Self::Encoding => "The body has a Content-Encoding".to_owned(),
            Self::NoSuchPath => "There is nothing at its path".to_owned(),
        }
    }

    /// Advice for the operator, in a sentence or two without the last full stop.
    pub(super) const fn todo(self) -> &'static str {
        match self {
            Self::NoSignature | Self::MalformedSignature => {
                "If PagerDuty sent it, look whether a proxy changes the header. Else somebody else posts here"
            }
            Self::WrongSignature => {
                "Put the subscription's secret where pagerduty.signing_secrets says, restart, and look in PagerDuty \
                 whether the subscription is still enabled"
            }
            Self::UnverifiedRetry => {
                "PagerDuty sends it again for 48 hours. Put the subscription's secret where pagerduty.signing_secrets \
                 says, and restart"
            }
            Self::Legacy => "Create a V3 webhook subscription in PagerDuty",
            Self::TooLarge => {
                "PagerDuty sends at most 256 KiB. Look whether a proxy changes the body. Else somebody else posts here"
            }
            Self::Encoding => {
                "PagerDuty sends none. Look whether a proxy compresses the body. Else somebody else posts here"
            }
            Self::NoSuchPath => {
                "Correct the subscription's URL in PagerDuty, or the path that a proxy passes on, or pagerduty.path"
            }
        }
    }
}

/// An error's words as the beginning of a sentence.
fn capitalized(error: SignatureError) -> String {
    let words = error.to_string();
    let mut letters = words.chars();
    letters.next().map(|first| format!("{}{}", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Recorded;
    use crate::telemetry::intake::STATUSES;

    #[test]
    fn every_reason_has_its_own_place_and_label() {
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
        let labels: std::collections::BTreeSet<_> = Reason::ALL.into_iter().map(Reason::status).collect();
        assert_eq!(labels.len(), Reason::ALL.len());
    }

    /// Prometheus sees no increase in a series that begins with 1.
    #[test]
    fn every_status_of_a_webhook_begins_with_zero() {
        let recorded = [
            Recorded::Accepted,
            Recorded::AcceptedWithoutTime,
            Recorded::Duplicate,
            Recorded::Ignored,
            Recorded::Quarantined,
        ];
        let reasons = Reason::ALL.into_iter().map(Reason::status);
        let answered =
            recorded.into_iter().map(Recorded::as_str).chain(reasons).chain([INCOMPLETE, UNAVAILABLE]);
        let known: std::collections::BTreeSet<_> = STATUSES.into_iter().collect();
        assert_eq!(answered.collect::<std::collections::BTreeSet<_>>(), known);
    }
}
