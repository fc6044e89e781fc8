//! Meaning of an answer of an API.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, LINK, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::ApiProblem;
use crate::domain::timestamp::Timestamp;

/// Greatest number of characters of an answer that a message repeats.
const LONGEST_DETAIL_CHARS: usize = 300;
/// Headers with the time at which requests are allowed again, in seconds since 1970: GitHub's and GitLab's.
const RESETS: [&str; 2] = ["x-ratelimit-reset", "ratelimit-reset"];
/// Headers with the number of requests that are left.
const REMAINING: [&str; 2] = ["x-ratelimit-remaining", "ratelimit-remaining"];
/// Wait after an answer that limits the rate and names no time, and the shortest one if it does.
const USUAL_WAIT: Duration = Duration::from_mins(1);
/// Words of GitHub's messages about its secondary rate limit, whose answers often have no header about it.
const OF_RATE_LIMITS: [&str; 2] = ["rate limit", "abuse detection"];
/// Longest wait, even if an answer asks for more. Both APIs count requests by the minute or the hour.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The problem of an answer with a status other than 200 to 299.
pub(super) fn problem(status: u16, headers: &HeaderMap, body: &[u8], token: &SecretString) -> ApiProblem {
    let detail = || detail(body, token);
    let is_limited =
        || headers.contains_key(RETRY_AFTER) || REMAINING.iter().any(|name| number(headers, name) == Some(0));
    let is_called_limited = || {
        let detail = detail().to_lowercase();
        OF_RATE_LIMITS.iter().any(|words| detail.contains(words))
    };
    match status {
        401 => ApiProblem::Unauthorized,
        429 => ApiProblem::RateLimited(wait(headers)),
        403 if is_limited() || is_called_limited() => ApiProblem::RateLimited(wait(headers)),
        403 => ApiProblem::Forbidden(detail()),
        404 | 410 | 451 => ApiProblem::NotFound,
        300..=399 => ApiProblem::Moved(status),
        400..=499 => ApiProblem::Rejected(status, detail()),
        _ => ApiProblem::Server(status, detail()),
    }
}

/// Wait that an answer asks for.
fn wait(headers: &HeaderMap) -> Duration {
    let reset = RESETS.iter().find_map(|name| number(headers, name));
    let until_reset = reset.zip(date(headers)).map(|(reset, now)| {
        let now = u64::try_from(now.as_seconds()).unwrap_or_default();
        Duration::from_secs(reset.saturating_sub(now))
    });
    let asked = number(headers, RETRY_AFTER.as_str()).map(Duration::from_secs).or(until_reset);
    asked.unwrap_or(USUAL_WAIT).clamp(USUAL_WAIT, LONGEST_WAIT)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Time of an answer, from its header `Date`.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let seconds = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    Timestamp::from_unix(i64::try_from(seconds).ok()?).ok()
}

/// `true` if an answer names a next page.
pub(super) fn has_next(headers: &HeaderMap) -> bool {
    let links = headers.get_all(LINK).iter().filter_map(|link| link.to_str().ok());
    links.flat_map(|links| links.split(',')).any(|link| link.contains("rel=\"next\""))
}

/// The words of an error, on one line, not too long, and without the token, which an answer may repeat.
fn detail(body: &[u8], token: &SecretString) -> String {
    #[derive(Deserialize)]
    struct Body {
        message: Option<serde_json::Value>,
        error: Option<serde_json::Value>,
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    let words = body.and_then(|body| body.message.or(body.error));
    let words = words.map(|words| words.as_str().map_or_else(|| words.to_string(), str::to_owned));
    shown(&words.unwrap_or_else(|| "no details".to_owned()), token)
}

/// A text of an answer for a message.
pub(super) fn shown(text: &str, token: &SecretString) -> String {
    let text = text.replace(token.expose_secret(), "[redacted]");
    let on_a_line = text.trim().trim_end_matches('.').replace(char::is_control, " ");
    match on_a_line.char_indices().nth(LONGEST_DETAIL_CHARS) {
        Some((end, _)) => format!("{}…", on_a_line.get(..end).unwrap_or_default()),
        None => on_a_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn of(status: u16, with: &[(&'static str, &str)], body: &str) -> ApiProblem {
        problem(status, &headers(with), body.as_bytes(), &SecretString::from("canary"))
    }

    #[test]
    fn the_rate_is_limited_by_403_and_429() {
        let date = ("date", "Fri, 20 Nov 2026 00:00:00 GMT");
        let reset = ("x-ratelimit-reset", "1795132860");
        let remaining = ("x-ratelimit-remaining", "0");
        let limited = |seconds| ApiProblem::RateLimited(Duration::from_secs(seconds));
        assert_eq!(of(403, &[date, reset, remaining], "{}"), limited(60));
        assert_eq!(of(429, &[date, ("ratelimit-reset", "1795132890")], "{}"), limited(90));
        assert_eq!(of(403, &[("retry-after", "170")], "{}"), limited(170));
        assert_eq!(of(403, &[("retry-after", "17")], "{}"), limited(60), "not shorter than a minute");
        assert_eq!(of(429, &[], "{}"), limited(60));
        assert_eq!(of(429, &[("retry-after", "999999")], "{}"), limited(3600), "not longer than an hour");
        assert_eq!(of(429, &[date, ("ratelimit-reset", "5")], "{}"), limited(60), "a time that has passed");
        let remaining = ("x-ratelimit-remaining", "4999");
        assert_eq!(of(403, &[date, reset, remaining], "{}"), ApiProblem::Forbidden("no details".to_owned()));
    }

    #[test]
    fn a_secondary_rate_limit_is_told_by_its_words() {
        let limited = ApiProblem::RateLimited(Duration::from_mins(1));
        let secondary =
            r#"{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}"#;
        let abuse = r#"{"message": "You have triggered an abuse detection mechanism."}"#;
        assert_eq!([of(403, &[], secondary), of(403, &[], abuse)], [limited.clone(), limited]);
    }

    #[test]
    fn the_words_of_an_answer_are_shown_without_the_token() {
        let body = r#"{"message": "Resource\nnot canary accessible."}"#;
        let words = "Resource not [redacted] accessible".to_owned();
        assert_eq!(of(403, &[], body), ApiProblem::Forbidden(words.clone()));
        assert_eq!(of(422, &[], body), ApiProblem::Rejected(422, words.clone()));
        assert_eq!(of(502, &[], body), ApiProblem::Server(502, words));
        assert_eq!(of(301, &[], "{}"), ApiProblem::Moved(301));
        assert_eq!(of(404, &[], "<html>"), ApiProblem::NotFound);
        assert_eq!(of(401, &[], ""), ApiProblem::Unauthorized);
        let long = of(500, &[], &format!("{{\"error\": \"{}\"}}", "x".repeat(400)));
        assert_eq!(long, ApiProblem::Server(500, format!("{}…", "x".repeat(300))));
    }

    #[test]
    fn the_next_page_is_a_link() {
        let links = r#"<https://x/a?page=1>; rel="prev", <https://x/a?page=3>; rel="next""#;
        assert!(has_next(&headers(&[("link", links)])));
        assert!(!has_next(&headers(&[("link", r#"<https://x/a?page=1>; rel="prev""#)])));
        assert!(!has_next(&headers(&[])));
    }
}
