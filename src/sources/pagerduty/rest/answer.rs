//! Meaning of an answer of PagerDuty's REST API.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::RestError;
use crate::domain::surrogates;
use crate::domain::timestamp::Timestamp;

/// Greatest number of characters of an answer that a message repeats.
const LONGEST_DETAIL_CHARS: usize = 300;

/// Error for an answer with a status other than 200 to 299.
pub(super) fn error(request: String, status: u16, body: &[u8], token: &SecretString) -> RestError {
    let detail = detail(body).map(|words| shown(&words, token));
    let is_from_pagerduty = detail.is_some();
    let detail = detail.unwrap_or_else(|| "no details".to_owned());
    match status {
        401 => RestError::Unauthorized { request },
        402 => RestError::Plan { request, detail },
        403 => RestError::Forbidden { request, detail },
        404 if is_from_pagerduty => RestError::NotFound { request },
        300..=399 | 404 => RestError::NotTheApi { request, status },
        429 => RestError::RateLimited { request },
        400..=499 => RestError::Rejected { request, status, detail },
        _ => RestError::Server { request, status, detail },
    }
}

/// PagerDuty's words in an error. `None` if the body is not an error of PagerDuty.
fn detail(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        error: serde_json::Value,
    }
    let Body { error } = serde_json::from_slice(body).ok()?;
    if let Some(message) = error.as_str() {
        return Some(message.to_owned());
    }
    let error = error.as_object()?;
    let message = error.get("message").and_then(serde_json::Value::as_str).unwrap_or("no message");
    let errors = error.get("errors").and_then(serde_json::Value::as_array).into_iter().flatten();
    let all: Vec<&str> = [message].into_iter().chain(errors.filter_map(serde_json::Value::as_str)).collect();
    Some(all.join("; "))
}

/// A text of an answer for a message: on one line, not too long, and without the token, which an answer may repeat.
fn shown(text: &str, token: &SecretString) -> String {
    let text = text.replace(token.expose_secret(), "[redacted]");
    let on_a_line = text.trim().trim_end_matches('.').replace(char::is_control, " ");
    match on_a_line.char_indices().nth(LONGEST_DETAIL_CHARS) {
        Some((end, _)) => format!("{}…", on_a_line.get(..end).unwrap_or_default()),
        None => on_a_line,
    }
}

/// Wait that an answer asks for. Dates are not read: PagerDuty sends seconds.
pub(super) fn requested_wait(headers: &HeaderMap) -> Option<Duration> {
    const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
    let seconds = |name: HeaderName| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    seconds(RESET).or_else(|| seconds(RETRY_AFTER)).map(Duration::from_secs)
}

/// Time of an answer, from its header `Date`.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let seconds = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    Timestamp::from_unix(i64::try_from(seconds).ok()?).ok()
}

/// Reads the body of an answer.
///
/// # Errors
/// The body is not JSON, or JSON of another form.
pub(super) fn read<T: DeserializeOwned>(
    request: String,
    body: &[u8],
    token: &SecretString,
) -> Result<T, RestError> {
    let body = surrogates::without_byte_order_mark(body);
    let first = match from_json(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // A title that was cut in the middle of a character must not hide its incident.
    let result = match surrogates::replaced(body) {
        Some(whole) => from_json(&whole),
        None => Err(first),
    };
    result.map_err(|error| {
        if error.inner().is_data() {
            RestError::UnexpectedForm { request, problem: shown(&error.to_string(), token) }
        } else {
            RestError::NotJson { request, problem: shown(&error.into_inner().to_string(), token) }
        }
    })
}

fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader)?;
    reader
        .end()
        .map(|()| value)
        .map_err(|error| serde_path_to_error::Error::new(serde_path_to_error::Track::new().path(), error))
}
