//! Words about PagerDuty's webhooks that are refused.

use crate::sources::{Reason, Words};

/// Words about a refusal.
pub(super) const fn words(reason: Reason) -> Words {
    Words { why: why(reason), to_sender: to_sender(reason), todo: todo(reason) }
}

const fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::NoSignature => "The request has no X-PagerDuty-Signature header",
        Reason::MalformedSignature => "The X-PagerDuty-Signature header holds no v1 signature",
        Reason::WrongSignature | Reason::UnverifiedRetry => {
            "The signature was not made with a signing secret that is configured here"
        }
        Reason::Legacy => "This is a V1 or V2 webhook, which is not signed",
        Reason::TooLarge => "The body has more than 512 KiB",
        Reason::Encoding => "The body has a Content-Encoding",
        Reason::NoSuchPath => "There is nothing at its path",
    }
}

const fn to_sender(reason: Reason) -> &'static str {
    match reason {
        Reason::Legacy => ": create a V3 webhook subscription",
        _ => "",
    }
}

const fn todo(reason: Reason) -> &'static str {
    match reason {
        Reason::NoSignature | Reason::MalformedSignature => {
            "If PagerDuty sent it, look whether a proxy changes the header. Else somebody else posts here"
        }
        Reason::WrongSignature => {
            "Put the subscription's secret where pagerduty.signing_secrets says, restart, and look in PagerDuty \
             whether the subscription is still enabled"
        }
        Reason::UnverifiedRetry => {
            "PagerDuty sends it again for 48 hours. Put the subscription's secret where pagerduty.signing_secrets \
             says, and restart"
        }
        Reason::Legacy => "Create a V3 webhook subscription in PagerDuty",
        Reason::TooLarge => {
            "PagerDuty sends at most 256 KiB. Look whether a proxy changes the body. Else somebody else posts here"
        }
        Reason::Encoding => {
            "PagerDuty sends none. Look whether a proxy compresses the body. Else somebody else posts here"
        }
        Reason::NoSuchPath => {
            "Correct the subscription's URL in PagerDuty, or the path that a proxy passes on, or pagerduty.path"
        }
    }
}
