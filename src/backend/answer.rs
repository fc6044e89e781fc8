//! What an HTTP backend's answer, or its silence, comes to.

use std::error::Error;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};

use super::Reply;
use crate::domain::retry::Verdict;

/// How much of an answer is kept: enough for an error message.
const KEPT_BYTES: usize = 1_024;

/// Judges what came of a request.
pub(super) async fn reply(sent: Result<Response, reqwest::Error>) -> Reply {
    match sent {
        Ok(response) => of_response(response).await,
        Err(error) => Reply { verdict: Verdict::Retry(None), status: None, error: Some(words(error)) },
    }
}

async fn of_response(mut response: Response) -> Reply {
    let status = response.status().as_u16();
    let verdict = Verdict::of_status(status, asked_for(response.headers()));
    let text = first_bytes(&mut response).await;
    let error = (verdict != Verdict::Sent).then(|| format!("HTTP {status}: {}", text.trim()));
    Reply { verdict, status: Some(status), error }
}

/// Reads to the end where the answer is short, so that the connection can be used again.
async fn first_bytes(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < KEPT_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(KEPT_BYTES);
    String::from_utf8_lossy(&bytes).replace(char::is_control, " ")
}

/// How long the backend asks us to wait, in seconds.
fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
    let seconds = |name: HeaderName| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    seconds(RETRY_AFTER).or_else(|| seconds(RESET)).map(Duration::from_secs)
}

/// The error and what is behind it, without the address, which may hold a password.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
