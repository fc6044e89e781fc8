//! Verdict on the answer of an HTTP backend, or on a missing answer.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};

use super::protocol::Reply;
use crate::domain::retry::Verdict;
use crate::domain::timestamp::Timestamp;
use crate::http_client::words;

/// Bytes of an answer that are kept: enough for an error message.
const KEPT_BYTES: usize = 1_024;

/// Reply for the result of a request that was sent at `now`.
pub(super) async fn reply(sent: Result<Response, reqwest::Error>, now: Timestamp) -> Reply {
    match sent {
        Ok(response) => of_response(response, now).await,
        Err(error) => Reply {
            verdict: Verdict::Retry(None),
            status: None,
            error: Some(words(&error.without_url())),
            taken: 0,
        },
    }
}

async fn of_response(mut response: Response, now: Timestamp) -> Reply {
    let status = response.status().as_u16();
    let verdict = Verdict::of_status(status, requested_wait(response.headers(), now));
    let text = first_bytes(&mut response).await;
    let error = (verdict != Verdict::Sent).then(|| format!("HTTP {status}: {}", text.trim()));
    Reply { verdict, status: Some(status), error, taken: 0 }
}

/// First bytes of the answer as text. A short answer is read to its end, so that the connection can be reused.
pub(super) async fn first_bytes(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < KEPT_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(KEPT_BYTES);
    String::from_utf8_lossy(&bytes).replace(char::is_control, " ")
}

/// Wait that the backend asks for.
pub(super) fn requested_wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
    let wait_in = |name: HeaderName| wait(headers.get(name)?.to_str().ok()?.trim(), now);
    wait_in(RETRY_AFTER).or_else(|| wait_in(RESET))
}

/// Wait in the text of a header: seconds from now, a Unix time in seconds, or a date (RFC 9110; RFC 3339).
fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let Some(seconds) = whole_seconds(text) else {
        // jiff ends two days before the year 9999 does.
        let http_date = |then| jiff::Timestamp::try_from(then).unwrap_or(jiff::Timestamp::MAX);
        let then = httpdate::parse_http_date(text).map(http_date).or_else(|_| text.parse()).ok()?;
        let wait = then.duration_since(now.into());
        // A date in the past asks for no wait.
        return Some(Duration::try_from(wait).unwrap_or_default());
    };
    // A number that can be a Unix time is one: no backend asks to wait for thirty years.
    let then = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_unix(seconds).ok());
    Some(then.map_or(Duration::from_secs(seconds), |then| then.duration_since(now)))
}

/// Seconds in a number of plain digits. A fraction is rounded up, so that no request is sent too soon.
fn whole_seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    // A number that is too large for the type becomes the longest wait.
    let seconds = whole.parse().unwrap_or(u64::MAX);
    Some(seconds.saturating_add(fraction.bytes().any(|digit| digit != b'0').into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::retry::LONGEST_WAIT;

    #[test]
    fn waits_are_seconds_or_points_in_time() {
        let now = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
        for (text, seconds) in [
            ("120", Some(120)),
            ("1795176030", Some(30)),
            ("Fri, 20 Nov 2026 12:01:00 GMT", Some(60)),
            ("2026-11-20T12:00:45Z", Some(45)),
            ("Fri, 20 Nov 2026 11:00:00 GMT", Some(0)),
            ("1", Some(1)),
            ("18446744073709551615", Some(u64::MAX)),
            ("99999999999999999999999999", Some(u64::MAX)),
            ("0", Some(0)),
            ("1.5", Some(2)),
            ("2.000", Some(2)),
            ("1795176029.25", Some(30)),
            ("1795176030000", Some(30)),
            ("Friday, 20-Nov-26 12:01:00 GMT", Some(60)),
            ("Fri Nov 20 12:01:00 2026", Some(60)),
            ("Sun Nov  1 12:01:00 2026", Some(0)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("0001-01-01T00:00:00Z", Some(0)),
            ("soon", None),
            ("-1", None),
            ("-0.5", None),
            ("1.", None),
            (".5", None),
            ("1e9", None),
            ("NaN", None),
            ("\u{661}\u{662}", None),
            ("", None),
        ] {
            assert_eq!(wait(text, now), seconds.map(Duration::from_secs), "{text}");
        }
        for for_ever in ["Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-30T00:00:00Z"] {
            assert!(wait(for_ever, now) > Some(LONGEST_WAIT), "{for_ever}");
        }
    }

    #[test]
    fn retry_after_wins_over_the_rate_limit() {
        let now = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(requested_wait(&headers, now), None);
        headers.insert("x-ratelimit-reset", "7".parse().unwrap());
        assert_eq!(requested_wait(&headers, now), Some(Duration::from_secs(7)));
        headers.insert(RETRY_AFTER, "9".parse().unwrap());
        assert_eq!(requested_wait(&headers, now), Some(Duration::from_secs(9)));
    }
}
