//! Texts about refused webhooks of GitHub.

use crate::sources::{RefusalReason, RefusalText};

/// Texts about a refusal.
pub(super) const fn refusal_text(reason: RefusalReason) -> RefusalText {
    RefusalText { cause: cause(reason), advice_for_sender: "", remedy: remedy(reason) }
}

const fn cause(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NoSignature => "The request has no X-Hub-Signature-256 header",
        RefusalReason::MalformedSignature => "The X-Hub-Signature-256 header has no SHA-256 signature",
        RefusalReason::WrongSignature | RefusalReason::UnverifiedRetry | RefusalReason::Legacy => {
            "The signature was not made with a signing secret of GitHub that is configured here"
        }
        RefusalReason::TooLarge => "The body is longer than 512 KiB",
        RefusalReason::Encoding => "The body has a Content-Encoding",
        RefusalReason::NoSuchPath => "No webhooks are received at its path",
    }
}

const fn remedy(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NoSignature => {
            "If GitHub sent it, write the secret of github.signing_secrets into the webhook's settings in GitHub, and check \
             whether a proxy removes the header. Otherwise somebody else posts here"
        }
        RefusalReason::MalformedSignature => {
            "If GitHub sent it, check whether a proxy changes the header. Otherwise somebody else posts here"
        }
        RefusalReason::WrongSignature | RefusalReason::UnverifiedRetry | RefusalReason::Legacy => {
            "Put the webhook's secret where github.signing_secrets says, and reload or restart. Then redeliver the webhook \
             within 3 days, under Recent Deliveries of its settings in GitHub"
        }
        RefusalReason::TooLarge => {
            "Let the webhook send Deployment statuses only: their bodies are some 15 KiB long. Otherwise somebody else posts \
             here"
        }
        RefusalReason::Encoding => {
            "GitHub sends no encoding. Check whether a proxy compresses the body. Otherwise somebody else posts here"
        }
        RefusalReason::NoSuchPath => {
            "Correct the Payload URL of the webhook in GitHub, the path that a proxy passes on, or github.path. Then redeliver \
             the webhook within 3 days"
        }
    }
}
