//! The client: sends requests with the token, and repeats those that may be repeated.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::answer;
use super::error::RestError;
use super::limiter::Limiter;
use super::request::Request;
use super::timer::{Timer, TokioTimer};
use crate::config::{PagerDutyApiSection, RequestsPerMinute, TokenScheme};
use crate::domain::timestamp::Timestamp;
use crate::http_client::{ClientError, Outgoing, words};

/// Longest time of an attempt.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time of an attempt that a person waits for.
const SHORT_TIMEOUT: Duration = Duration::from_secs(5);
/// Greatest number of attempts of a request.
const MOST_ATTEMPTS: u32 = 4;
/// Wait after the first attempt that failed. It doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait between two attempts, even if an answer asks for more.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Greatest length of an answer. A hundred log entries with long details have a few mebibytes.
const LONGEST_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Version of the API.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.pagerduty+json;version=2");

/// Reason why a client cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RestSetupError {
    /// The token cannot be sent.
    #[error("contains characters that an HTTP header cannot have")]
    NotAHeader,
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A client for PagerDuty's REST API. Clones share the limit of the rate.
#[derive(Clone)]
pub struct RestClient(Arc<Shared>);

struct Shared {
    http: reqwest::Client,
    base: Url,
    authorization: HeaderValue,
    /// Removed from messages: an answer may repeat a part of the request.
    token: SecretString,
    /// Longest time of an attempt.
    timeout: Duration,
    /// Greatest number of attempts of a request.
    most_attempts: u32,
    limiter: Limiter,
    timer: Arc<dyn Timer>,
    /// Time of the last answer by PagerDuty's clock, in nanoseconds; 0: none was said.
    answered_at: AtomicI64,
}

/// A good answer.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// Its time by PagerDuty's clock, if it was said.
    pub(super) at: Option<Timestamp>,
}

/// An attempt without a result.
struct Failed {
    error: RestError,
    /// Wait that the answer asks for.
    requested_wait: Option<Duration>,
}

impl From<RestError> for Failed {
    fn from(error: RestError) -> Self {
        Self { error, requested_wait: None }
    }
}

impl RestClient {
    /// A client for the API that the configuration names, with the token that was read from where it says.
    ///
    /// # Errors
    /// The token cannot be sent, or the machine has no CA certificates.
    pub fn new(
        config: &PagerDutyApiSection,
        token: SecretString,
        outgoing: &Outgoing,
    ) -> Result<Self, RestSetupError> {
        Self::with_timer(config, token, outgoing, Arc::new(TokioTimer))
    }

    pub(super) fn with_timer(
        config: &PagerDutyApiSection,
        token: SecretString,
        outgoing: &Outgoing,
        timer: Arc<dyn Timer>,
    ) -> Result<Self, RestSetupError> {
        let scheme = match config.scheme {
            TokenScheme::Token => "Token token=",
            TokenScheme::Bearer => "Bearer ",
        };
        let mut authorization = HeaderValue::from_str(&format!("{scheme}{}", token.expose_secret()))
            .map_err(|_| RestSetupError::NotAHeader)?;
        authorization.set_sensitive(true);
        let base = config.url.get().clone();
        Ok(Self(Arc::new(Shared {
            http: outgoing.client(TIMEOUT, &base)?,
            base,
            authorization,
            token,
            timeout: TIMEOUT,
            most_attempts: MOST_ATTEMPTS,
            limiter: Limiter::new(config.requests_per_minute.get(), Arc::clone(&timer)),
            timer,
            answered_at: AtomicI64::new(0),
        })))
    }

    /// A client for a command that sends a handful of requests while a person waits: each is tried once, for a few
    /// seconds. It has a limit of the rate of its own.
    #[must_use]
    pub fn impatient(&self) -> Self {
        let Shared { http, base, authorization, token, timer, .. } = &*self.0;
        Self(Arc::new(Shared {
            http: http.clone(),
            base: base.clone(),
            authorization: authorization.clone(),
            token: token.clone(),
            timeout: SHORT_TIMEOUT,
            most_attempts: 1,
            limiter: Limiter::new(RequestsPerMinute::default().get(), Arc::clone(timer)),
            timer: Arc::clone(timer),
            answered_at: AtomicI64::new(0),
        }))
    }

    /// Time of the last answer by PagerDuty's clock, if it was said.
    pub fn answered_at(&self) -> Option<Timestamp> {
        let nanos = self.0.answered_at.load(Ordering::Relaxed);
        (nanos > 0).then(|| Timestamp::from_nanos(nanos))
    }

    /// Sends a request, and reads the JSON of its answer.
    pub(super) async fn read<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, RestError> {
        Ok(self.read_dated(request).await?.0)
    }

    /// Sends a request, and reads the JSON of its answer, with the time of the answer by PagerDuty's clock.
    pub(super) async fn read_dated<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
    ) -> Result<(T, Option<Timestamp>), RestError> {
        let answer = self.send(request).await?;
        Ok((self.parse(request, &answer.body)?, answer.at))
    }

    /// Reads the JSON of an answer.
    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        body: &[u8],
    ) -> Result<T, RestError> {
        answer::read(request.to_string(), body, &self.0.token)
    }

    /// Sends a request, several times if it may be repeated.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer, RestError> {
        let not_found = || RestError::NotFound { request: request.to_string() };
        let url = request.url(&self.0.base).ok_or_else(not_found)?;
        let mut attempt = 1;
        loop {
            self.0.limiter.turn().await;
            let failed = match self.attempt(request, url.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if !request.is_repeatable || !failed.error.is_temporary() || attempt == self.0.most_attempts {
                return Err(failed.error);
            }
            // After a 429 the limiter makes all requests wait.
            if !matches!(failed.error, RestError::RateLimited { .. }) {
                let own_wait = FIRST_WAIT * (1 << (attempt - 1));
                let wait = failed.requested_wait.unwrap_or_default().max(own_wait);
                self.0.timer.sleep(wait.min(LONGEST_WAIT)).await;
            }
            attempt += 1;
        }
    }

    async fn attempt(&self, request: &Request<'_>, url: Url) -> Result<Answer, Failed> {
        let unreachable = |error: reqwest::Error| RestError::Unreachable {
            request: request.to_string(),
            problem: words(&error.without_url()),
        };
        let mut sending = self.0.http.request(request.method.clone(), url).timeout(self.0.timeout);
        sending = sending.header(ACCEPT, MEDIA_TYPE).header(AUTHORIZATION, self.0.authorization.clone());
        if let Some(body) = &request.body {
            sending = sending.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = sending.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let (requested_wait, at) =
            (answer::requested_wait(response.headers()), answer::date(response.headers()));
        if let Some(at) = at {
            self.0.answered_at.store(at.as_nanos(), Ordering::Relaxed);
        }
        if status == 429 {
            self.0.limiter.pause(requested_wait);
        } else {
            self.0.limiter.passed();
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER_BYTES {
                let problem = "the answer is longer than 64 MiB".to_owned();
                return Err(RestError::UnexpectedForm { request: request.to_string(), problem }.into());
            }
        }
        if (200..300).contains(&status) {
            return Ok(Answer { body, at });
        }
        let error = answer::error(request.to_string(), status, &body, &self.0.token);
        Err(Failed { error, requested_wait })
    }
}

impl fmt::Debug for RestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestClient").field("base", &self.0.base.as_str()).finish_non_exhaustive()
    }
}
