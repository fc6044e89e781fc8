//! Words about PagerDuty's webhooks that are refused.

use crate::sources::{RefusalReason, Words};

/// Words about a refusal.
pub(super) const fn words(reason: RefusalReason) -> Words {
    Words { why: why(reason), to_sender: to_sender(reason), todo: todo(reason) }
}

const fn why(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NoSignature => "The request has no X-PagerDuty-Signature header",
        RefusalReason::MalformedSignature => "The X-PagerDuty-Signature header holds no v1 signature",
        RefusalReason::WrongSignature | RefusalReason::UnverifiedRetry => {
            "The signature was not made with a signing secret that is configured here"
        }
        RefusalReason::Legacy => "This is a V1 or V2 webhook, which is not signed",
        RefusalReason::TooLarge => "The body has more than 512 KiB",
        RefusalReason::Encoding => "The body has a Content-Encoding",
        RefusalReason::NoSuchPath => "There is nothing at its path",
    }
}

const fn to_sender(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Legacy => ": create a V3 webhook subscription",
        _ => "",
    }
}

const fn todo(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NoSignature | RefusalReason::MalformedSignature => {
            "If PagerDuty sent it, look whether a proxy changes the header. Else somebody else posts here"
        }
        RefusalReason::WrongSignature => {
            "Put the subscription's secret where pagerduty.signing_secrets says, restart, and look in PagerDuty \
             whether the subscription is still enabled"
        }
        RefusalReason::UnverifiedRetry => {
            "PagerDuty sends it again for 48 hours. Put the subscription's secret where pagerduty.signing_secrets \
             says, and restart"
        }
        RefusalReason::Legacy => "Create a V3 webhook subscription in PagerDuty",
        RefusalReason::TooLarge => {
            "PagerDuty sends at most 256 KiB. Look whether a proxy changes the body. Else somebody else posts here"
        }
        RefusalReason::Encoding => {
            "PagerDuty sends none. Look whether a proxy compresses the body. Else somebody else posts here"
        }
        RefusalReason::NoSuchPath => {
            "Correct the subscription's URL in PagerDuty, or the path that a proxy passes on, or pagerduty.path"
        }
    }
}
