//! The client: sends requests that read, and repeats those without an answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::answer;
use super::error::{ApiError, ApiProblem};
use crate::domain::surrogates;
use crate::domain::timestamp::Timestamp;
use crate::http_client::{ClientError, Outgoing, words};

/// Longest time of an attempt.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time of an attempt that a person waits for.
const SHORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Greatest number of attempts of a request.
const MOST_ATTEMPTS: u32 = 3;
/// Wait after the first attempt that failed. It doubles after the second one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Greatest length of an answer. A hundred deployments with long payloads have a few mebibytes.
const LONGEST_ANSWER_MIB: usize = 16;

/// Reason why a client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ApiSetupError {
    /// The token cannot be sent.
    #[error("contains characters that an HTTP header cannot have")]
    NotAHeader,
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Names of an API, for its requests and in messages.
pub(in crate::sources) struct ApiNames {
    /// Its owner: `GitHub`.
    pub(in crate::sources) title: &'static str,
    /// Section of the configuration: `github`.
    pub(in crate::sources) section: &'static str,
    /// Rights that a token needs, in words.
    pub(in crate::sources) rights: &'static str,
    /// Form of the answers that is asked for.
    pub(in crate::sources) accept: HeaderValue,
    /// Header of the token.
    pub(in crate::sources) token_header: HeaderName,
    /// Beginning of that header's value.
    pub(in crate::sources) scheme: &'static str,
}

/// A client of an API. Clones share its connections.
#[derive(Clone)]
pub struct ApiClient(Arc<Shared>);

struct Shared {
    http: reqwest::Client,
    base: Url,
    names: ApiNames,
    authorization: HeaderValue,
    /// Removed from messages.
    token: SecretString,
}

/// A page of an answer.
pub(in crate::sources) struct Page {
    /// The JSON.
    pub(in crate::sources) body: Value,
    /// Its length in bytes.
    pub(super) length: usize,
    /// `true` if there is another page.
    pub(in crate::sources) has_next: bool,
    /// Time of the answer by the API's clock, if it was said.
    pub(in crate::sources) at: Option<Timestamp>,
}

/// Patience with a request.
#[derive(Clone, Copy)]
struct Patience {
    timeout: Duration,
    most_attempts: u32,
}

impl ApiClient {
    /// A client for the API at `base`.
    ///
    /// # Errors
    /// The token cannot be sent, or the machine has no CA certificates.
    pub(in crate::sources) fn new(
        names: ApiNames,
        base: &Url,
        token: SecretString,
        outgoing: &Outgoing,
    ) -> Result<Self, ApiSetupError> {
        let mut authorization = HeaderValue::from_str(&format!("{}{}", names.scheme, token.expose_secret()))
            .map_err(|_| ApiSetupError::NotAHeader)?;
        authorization.set_sensitive(true);
        let http = outgoing.client(TIMEOUT, base)?;
        Ok(Self(Arc::new(Shared { http, base: base.clone(), names, authorization, token })))
    }

    /// Reads one page.
    pub(in crate::sources) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Page, ApiError> {
        let patience = Patience { timeout: TIMEOUT, most_attempts: MOST_ATTEMPTS };
        self.get_with(path, query, patience).await
    }

    /// Reads one page for a person who waits: the request is tried once, for a few seconds.
    pub(in crate::sources) async fn get_soon(&self, path: &[&str]) -> Result<Page, ApiError> {
        self.get_with(path, &[], Patience { timeout: SHORT_TIMEOUT, most_attempts: 1 }).await
    }

    async fn get_with(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        patience: Patience,
    ) -> Result<Page, ApiError> {
        let error = |problem| self.error(path, problem);
        let url = self.url(path, query).ok_or_else(|| error(ApiProblem::NotFound))?;
        let mut attempt = 1;
        loop {
            let failed = match self.attempt(url.clone(), patience.timeout).await {
                Ok(page) => return Ok(page),
                Err(problem) => error(problem),
            };
            if !failed.is_temporary() || attempt == patience.most_attempts {
                return Err(failed);
            }
            tokio::time::sleep(FIRST_WAIT * (1 << (attempt - 1))).await;
            attempt += 1;
        }
    }

    /// Address of a request. `None` if a segment of the path is empty or consists of dots: such an address would lead to
    /// something else.
    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Option<Url> {
        if path.iter().any(|segment| segment.bytes().all(|byte| byte == b'.')) {
            return None;
        }
        let mut url = self.0.base.clone();
        url.path_segments_mut().ok()?.pop_if_empty().extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Some(url)
    }

    async fn attempt(&self, url: Url, timeout: Duration) -> Result<Page, ApiProblem> {
        let Shared { http, names, authorization, token, .. } = &*self.0;
        let no_answer = |error: reqwest::Error| {
            let is_connected = !error.is_connect();
            let words = words(&error.without_url());
            if is_connected { ApiProblem::Unanswered(words) } else { ApiProblem::Unreachable(words) }
        };
        let request = http.get(url).timeout(timeout).header(ACCEPT, names.accept.clone());
        let request = request.header(names.token_header.clone(), authorization.clone());
        let mut response = request.send().await.map_err(no_answer)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER_MIB << 20 {
                return Err(ApiProblem::TooLarge(LONGEST_ANSWER_MIB));
            }
        }
        if !(200..300).contains(&status) {
            return Err(answer::problem(status, &headers, &body, token));
        }
        let length = body.len();
        let body = json(&body)
            .map_err(|error| ApiProblem::NotUnderstood(answer::shown(&error.to_string(), token)))?;
        Ok(Page { body, length, has_next: answer::has_next(&headers), at: answer::date(&headers) })
    }

    /// The error for an answer of another form.
    pub(in crate::sources) fn not_understood(&self, path: &[&str], problem: &str) -> ApiError {
        self.error(path, ApiProblem::NotUnderstood(answer::shown(problem, &self.0.token)))
    }

    pub(super) fn too_long(&self, path: &[&str], pages: u32) -> ApiError {
        self.error(path, ApiProblem::TooLong(pages))
    }

    pub(super) fn too_large(&self, path: &[&str], mib: usize) -> ApiError {
        self.error(path, ApiProblem::TooLarge(mib))
    }

    fn error(&self, path: &[&str], problem: ApiProblem) -> ApiError {
        let ApiNames { title, section, rights, .. } = self.0.names;
        ApiError { title, section, rights, request: format!("GET /{}", path.join("/")), problem }
    }
}

/// The JSON of a body. A text that was cut in the middle of a character must not hide the rest.
fn json(body: &[u8]) -> serde_json::Result<Value> {
    let body = surrogates::without_byte_order_mark(body);
    match serde_json::from_slice(body) {
        Ok(value) => Ok(value),
        Err(error) => match surrogates::replaced(body) {
            Some(whole) => serde_json::from_slice(&whole),
            None => Err(error),
        },
    }
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiClient").field("base", &self.0.base.as_str()).finish_non_exhaustive()
    }
}
