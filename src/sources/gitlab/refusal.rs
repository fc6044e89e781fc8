//! Texts about refused webhooks of GitLab.

use crate::sources::{RefusalReason, RefusalText};

/// Texts about a refusal.
pub(super) const fn refusal_text(reason: RefusalReason) -> RefusalText {
    RefusalText { cause: cause(reason), advice_for_sender: "", remedy: remedy(reason) }
}

const fn cause(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NoSignature => {
            "The request has neither a webhook-signature nor an X-Gitlab-Token header"
        }
        RefusalReason::MalformedSignature => {
            "The headers webhook-id, webhook-timestamp and webhook-signature have no v1 signature"
        }
        RefusalReason::WrongSignature | RefusalReason::UnverifiedRetry | RefusalReason::Legacy => {
            "The signature was not made with a signing secret of GitLab that is configured here, or the token is another one"
        }
        RefusalReason::TooLarge => "The body is longer than 512 KiB",
        RefusalReason::Encoding => "The body has a Content-Encoding",
        RefusalReason::NoSuchPath => "No webhooks are received at its path",
    }
}

const fn remedy(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NoSignature => {
            "If GitLab sent it, set a signing token or a secret token in the webhook's settings in GitLab, and check whether a \
             proxy removes the header. Otherwise somebody else posts here"
        }
        RefusalReason::MalformedSignature => {
            "If GitLab sent it, check whether a proxy changes the headers. Otherwise somebody else posts here"
        }
        RefusalReason::WrongSignature | RefusalReason::UnverifiedRetry | RefusalReason::Legacy => {
            "Put the webhook's signing token where gitlab.signing_secrets says, or its secret token where gitlab.tokens says, \
             and reload or restart. A signed request is judged by its signature alone. Check in GitLab whether the webhook \
             was disabled, and resend the events under Recent events of its settings"
        }
        RefusalReason::TooLarge => {
            "Let the webhook send Deployment events only: their bodies are a few KiB long. Otherwise somebody else posts here"
        }
        RefusalReason::Encoding => {
            "GitLab sends no encoding. Check whether a proxy compresses the body. Otherwise somebody else posts here"
        }
        RefusalReason::NoSuchPath => {
            "Correct the URL of the webhook in GitLab, the path that a proxy passes on, or gitlab.path. Then resend the events \
             under Recent events of the webhook's settings"
        }
    }
}
