//! Reasons why a request to an API has no result.

use std::time::Duration;

use crate::domain::human_duration::human_duration;

/// Reason why a request to an API has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.in_words())]
pub struct ApiError {
    /// Name of the API's owner: `GitHub`.
    pub(super) title: &'static str,
    /// Section of the configuration: `github`.
    pub(super) section: &'static str,
    /// Rights that a token needs, in words.
    pub(super) rights: &'static str,
    /// Method and path of the request.
    pub(super) request: String,
    /// The problem.
    pub problem: ApiProblem,
}

/// Kind of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiProblem {
    /// 401.
    Unauthorized,
    /// 403 that is not about the rate, with the words of the answer.
    Forbidden(String),
    /// 404, 410 or 451.
    NotFound,
    /// A redirect.
    Moved(u16),
    /// 429, or 403 because of the rate, with the wait that the answer asks for.
    RateLimited(Duration),
    /// Any other status below 500, with the words of the answer.
    Rejected(u16, String),
    /// A status of 500 or more, with the words of the answer.
    Server(u16, String),
    /// No connection.
    Unreachable(String),
    /// A connection, and no answer in time or only a part of one.
    Unanswered(String),
    /// The body is not JSON of the known form.
    NotUnderstood(String),
    /// A list that goes on after this number of pages.
    TooLong(u32),
    /// An answer, or all answers of a list, with more than this number of mebibytes.
    TooLarge(usize),
}

impl ApiError {
    /// `true` if only one repository is at fault, and the answer will be the same for some time.
    pub const fn is_about_repository(&self) -> bool {
        matches!(
            self.problem,
            ApiProblem::NotFound
                | ApiProblem::Moved(_)
                | ApiProblem::Forbidden(_)
                | ApiProblem::TooLong(_)
                | ApiProblem::TooLarge(_)
        )
    }

    /// `true` if other repositories cannot be read either.
    pub const fn is_about_all(&self) -> bool {
        matches!(
            self.problem,
            ApiProblem::Unauthorized | ApiProblem::RateLimited(_) | ApiProblem::Unreachable(_)
        )
    }

    /// `true` if the same request may succeed in a moment.
    pub(super) const fn is_temporary(&self) -> bool {
        matches!(
            self.problem,
            ApiProblem::Server(..) | ApiProblem::Unreachable(_) | ApiProblem::Unanswered(_)
        )
    }

    fn in_words(&self) -> String {
        let Self { title, section, rights, request, problem } = self;
        match problem {
            ApiProblem::Unauthorized => format!(
                "{title} does not accept the token (HTTP 401, {request}): put a valid token where {section}.token says. It may \
                 have expired"
            ),
            ApiProblem::Forbidden(detail) => format!(
                "{title} does not allow this (HTTP 403, {request}): {detail}. Give the token in {section}.token {rights}"
            ),
            ApiProblem::NotFound => format!(
                "{title} does not show this to the token (HTTP 404, {request}): the repository was deleted or renamed, or the \
                 token in {section}.token may not read its deployments"
            ),
            ApiProblem::Moved(status) => format!(
                "{title} says that this has moved (HTTP {status}, {request}): the repository was renamed, so write its new name \
                 in the configuration; or {section}.url is not the address of the API"
            ),
            ApiProblem::RateLimited(wait) => format!(
                "{title} limits the rate of requests ({request}): the next attempt follows after {} at the earliest. If this happens often, make \
                 {section}.poll longer",
                human_duration(wait.as_secs_f64())
            ),
            ApiProblem::Rejected(status, detail) => {
                format!("{title} rejected the request (HTTP {status}, {request}): {detail}")
            }
            ApiProblem::Server(status, detail) => {
                format!("{title}'s API fails (HTTP {status}, {request}): {detail}. Try again later")
            }
            ApiProblem::Unreachable(problem) => format!(
                "{title}'s API cannot be reached ({request}): {problem}. Check {section}.url, and the network between this \
                 machine and that address"
            ),
            ApiProblem::Unanswered(problem) => format!(
                "{title}'s API did not answer completely ({request}): {problem}. Try again later. If this happens often, check \
                 whether a proxy between this machine and {section}.url limits the time or the length of answers"
            ),
            ApiProblem::TooLong(pages) => format!(
                "{title}'s list goes on after {pages} pages ({request}): the deployments of this repository are not read, because \
                 the list may have no end. Check {section}.url, and whether a proxy changes the header Link"
            ),
            ApiProblem::TooLarge(mib) => format!(
                "{title}'s answers have more than {mib} MiB ({request}): the deployments of this repository are not read, because \
                 they would take too much memory. Make the payloads of its deployments shorter"
            ),
            ApiProblem::NotUnderstood(problem) => format!(
                "the answer was not understood ({request}): {problem}. Check that {section}.url is the address of {title}'s API"
            ),
        }
    }
}
