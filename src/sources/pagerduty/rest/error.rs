//! Reasons why a request to PagerDuty's REST API has no result.

/// Reason why a request to PagerDuty's REST API has no result. `request` is its method and path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestError {
    /// 401.
    #[error(
        "PagerDuty does not accept the token (HTTP 401, {request}): put a valid API key where pagerduty.api.token \
         says. An OAuth token needs pagerduty.api.scheme = \"bearer\". An account in the EU needs pagerduty.api.url = \
         \"https://api.eu.pagerduty.com\""
    )]
    Unauthorized {
        /// The request.
        request: String,
    },
    /// 402.
    #[error(
        "the plan of the PagerDuty account does not include this (HTTP 402, {request}): {detail}. Another plan may \
         include it"
    )]
    Plan {
        /// The request.
        request: String,
        /// Words of the answer.
        detail: String,
    },
    /// 403.
    #[error(
        "PagerDuty does not allow this (HTTP 403, {request}): {detail}. Give the token the scope for it, or a key that \
         is not read-only; if the account has a list of allowed IP addresses, add the address of this machine"
    )]
    Forbidden {
        /// The request.
        request: String,
        /// Words of the answer.
        detail: String,
    },
    /// 404 from PagerDuty.
    #[error("PagerDuty does not have this (HTTP 404, {request}): it was deleted, or its id is wrong")]
    NotFound {
        /// The request.
        request: String,
    },
    /// Any other status of 400 to 499.
    #[error(
        "PagerDuty rejected the request (HTTP {status}, {request}): {detail}. Correct the value that \
         this message names, or report this"
    )]
    Rejected {
        /// The request.
        request: String,
        /// Status of the answer.
        status: u16,
        /// Words of the answer.
        detail: String,
    },
    /// A redirect, or a 404 that is not PagerDuty's.
    #[error(
        "HTTP {status} does not come from PagerDuty's API ({request}): correct pagerduty.api.url, or the proxy in between"
    )]
    NotTheApi {
        /// The request.
        request: String,
        /// Status of the answer.
        status: u16,
    },
    /// 429, also after pauses.
    #[error(
        "PagerDuty limits the rate of requests (HTTP 429, {request}): try again in a few minutes. If this happens \
         often, lower pagerduty.api.requests_per_minute"
    )]
    RateLimited {
        /// The request.
        request: String,
    },
    /// A status of 500 or more.
    #[error(
        "PagerDuty's API fails (HTTP {status}, {request}): {detail}. Try again later; https://status.pagerduty.com \
         has PagerDuty's outages"
    )]
    Server {
        /// The request.
        request: String,
        /// Status of the answer.
        status: u16,
        /// Words of the answer.
        detail: String,
    },
    /// No answer, or only a part of one.
    #[error(
        "PagerDuty's API cannot be reached ({request}): {problem}. Check pagerduty.api.url, and the network between \
         this machine and that address"
    )]
    Unreachable {
        /// The request.
        request: String,
        /// Words of the error.
        problem: String,
    },
    /// The body is not JSON.
    #[error(
        "the answer is not JSON ({request}): {problem}. Check that pagerduty.api.url is the address of PagerDuty's API"
    )]
    NotJson {
        /// The request.
        request: String,
        /// Words of the error.
        problem: String,
    },
    /// JSON of another form. `problem` begins with the key.
    #[error(
        "the answer has a form that this version of pagerduty-dora does not know ({request}): {problem}. Install the \
         newest version, or report this"
    )]
    UnexpectedForm {
        /// The request.
        request: String,
        /// Key and what is wrong with its value.
        problem: String,
    },
    /// More entries than PagerDuty lists, in the shortest time that can be asked for, or of one incident.
    #[error(
        "there are more than 10,000 entries {place}, and PagerDuty lists no more ({request}): the others cannot be read"
    )]
    WindowTooFull {
        /// The request.
        request: String,
        /// The second or the incident, with a preposition.
        place: String,
    },
}

impl RestError {
    /// `true` if the same request may succeed later.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Server { .. } | Self::Unreachable { .. })
    }
}
