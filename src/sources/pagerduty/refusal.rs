//! Texts about refused webhooks of PagerDuty.

use crate::sources::{RefusalReason, RefusalText};

/// Texts about a refusal.
pub(super) const fn refusal_text(reason: RefusalReason) -> RefusalText {
    RefusalText { cause: cause(reason), advice_for_sender: advice_for_sender(reason), remedy: remedy(reason) }
}

const fn cause(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NoSignature => "The request has no X-PagerDuty-Signature header",
        RefusalReason::MalformedSignature => "The X-PagerDuty-Signature header has no v1 signature",
        RefusalReason::WrongSignature | RefusalReason::UnverifiedRetry => {
            "The signature was not made with a signing secret that is configured here"
        }
        RefusalReason::Legacy => "This is a V1 or V2 webhook, which is not signed",
        RefusalReason::TooLarge => "The body is longer than 512 KiB",
        RefusalReason::Encoding => "The body has a Content-Encoding",
        RefusalReason::NoSuchPath => "No webhooks are received at its path",
    }
}

const fn advice_for_sender(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Legacy => ": create a V3 webhook subscription",
        _ => "",
    }
}

const fn remedy(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NoSignature | RefusalReason::MalformedSignature => {
            "If PagerDuty sent it, check whether a proxy changes the header. Otherwise somebody else posts here"
        }
        RefusalReason::WrongSignature => {
            "Put the subscription's secret where pagerduty.signing_secrets says, reload or restart, and check in PagerDuty \
             that the subscription is still enabled"
        }
        RefusalReason::UnverifiedRetry => {
            "PagerDuty sends it again for 48 hours. Put the subscription's secret where pagerduty.signing_secrets \
             says, then reload or restart"
        }
        RefusalReason::Legacy => "Create a V3 webhook subscription in PagerDuty",
        RefusalReason::TooLarge => {
            "PagerDuty sends at most 256 KiB. Check whether a proxy changes the body. Otherwise somebody else posts \
             here"
        }
        RefusalReason::Encoding => {
            "PagerDuty sends no encoding. Check whether a proxy compresses the body. Otherwise somebody else posts \
             here"
        }
        RefusalReason::NoSuchPath => {
            "Correct the subscription's URL in PagerDuty, the path that a proxy passes on, or pagerduty.path"
        }
    }
}
